/* y[((row · row_quads + b · quads + k) · lanes + f) · 4 + e] = x[n, f, p, b · block_width − left + 4 · k + e], 0 beside the image: NCHW as
   rows n · height + p in blocks of columns, in quads, channels f of a quad side by side, so that 64 lanes load four columns each from
   one kilobyte. row_quads: of all blocks. A wavefront does four quads, a line or two, of 16 channels; grid (ceil(lanes / 64) · 256, ceil(row_quads / 4),
   images · height), work-group 256. */
__kernel __attribute__((reqd_work_group_size(256, 1, 1)))
void row_quads(__global const float *restrict x, __global float4 *restrict y, uint lanes, uint height, uint width, uint image_stride,
               uint row_quads, uint quads, uint block_width, uint left) {
  uint l = get_local_id(0), f = get_group_id(0) * 64u + (l >> 6) * 16u + (l & 15u);
  uint k = get_group_id(1) * 4u + ((l >> 4) & 3u), row = get_group_id(2);
  if (k >= row_quads || f >= lanes) return;
  uint n = row / height, p = row - n * height, b = k / quads, q = b * block_width + 4u * (k - b * quads) - left;
  x += n * image_stride + (f * height + p) * width;
  float4 v;
  if (q < width && q + 4u <= width) {
    v = vload4(0, x + q);
  } else { /* beside the image; left of it q is beyond, too */
    v.x = q < width ? x[q] : 0.0f;
    v.y = q + 1u < width ? x[q + 1u] : 0.0f;
    v.z = q + 2u < width ? x[q + 2u] : 0.0f;
    v.w = q + 3u < width ? x[q + 3u] : 0.0f;
  }
  y[(row * row_quads + k) * lanes + f] = v;
}
