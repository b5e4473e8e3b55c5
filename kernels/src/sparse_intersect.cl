/* Filter gradient of stride 1 that skips zeros of X and of dY by intersecting their index lists: dW[f, c, r, s] = sum over
   image, p, q of dY[image, f, p, q] · X[image, c, p + r − pad_h, q + s − pad_w], over the non-zeros of both.
   x_tiles and dy_tiles: ELLPACK-DIB (docs/formats.md), 16 channels × one row of at most 64 columns. A work-item owns one
   (f, c, r) with filter_width ≤ 5 sums; a work-group of 256 has 16 f × 16 c, whose rows of pairs lie in the LDS. For each
   non-zero of X in ascending columns, a window of the list of dY, which only moves on, holds those columns of dY that meet
   it under some tap. dw: FCRS. Grid (F / 16 · 256, C / 16 · filter_height). One rounding per product, one per sum. */
#pragma OPENCL FP_CONTRACT OFF
__kernel __attribute__((reqd_work_group_size(256, 1, 1)))
void sparse_filter_gradient_both(__global const uint *restrict x_tiles, __global const uint *restrict dy_tiles,
                                 __global float *restrict dw, uint channels, uint images, uint height, uint out_height,
                                 uint pad_h, uint pad_w, uint filter_height, uint filter_width, uint x_image_tiles,
                                 uint dy_image_tiles, uint x_slot_bytes, uint dy_slot_bytes) {
  __local uint2 xs[16][65], ys[16][65]; /* a column more, so that rows start in different banks */
  uint l = get_local_id(0), a = l & 15u, b = l >> 4;
  uint f_tile = get_group_id(0), c_tile = get_group_id(1) / filter_height;
  uint r = get_group_id(1) - c_tile * filter_height;
  float sums[5] = {0.0f, 0.0f, 0.0f, 0.0f, 0.0f};
  for (uint image = 0; image < images; image++)
    for (uint p = 0; p < out_height; p++) {
      uint h = p + r - pad_h;
      if (h >= height) continue; /* below 0 it is beyond, too */
      __global const uint *x =
          x_tiles + (ulong)((image * x_image_tiles + c_tile) * height + h) * (x_slot_bytes / 4u);
      __global const uint *dy =
          dy_tiles + (ulong)((image * dy_image_tiles + f_tile) * out_height + p) * (dy_slot_bytes / 4u);
      uint nx = x[16u + b], ny = dy[16u + b]; /* of the row that the work-item copies */
      __global const uint2 *px = (__global const uint2 *)(x + 32u) + b * x[0];
      __global const uint2 *py = (__global const uint2 *)(dy + 32u) + b * dy[0];
      for (uint i = a; i < nx; i += 16u) xs[b][i] = px[i];
      for (uint i = a; i < ny; i += 16u) ys[b][i] = py[i];
      uint mine = dy[16u + a];
      barrier(CLK_LOCAL_MEM_FENCE);
      uint first = 0;
      for (uint i = 0; i < nx; i++) {
        uint2 u = xs[b][i];
        int last = (int)(u.y + pad_w); /* tap 0's column of dY; tap s has last − s */
        for (; first < mine && (int)ys[a][first].y + (int)filter_width <= last; first++) {}
        for (uint k = first; k < mine; k++) {
          uint2 v = ys[a][k];
          int tap = last - (int)v.y;
          if (tap < 0) break;
          float product = as_float(u.x) * as_float(v.x);
          for (int s = 0; s < 5; s++) sums[s] += tap == s ? product : 0.0f;
        }
      }
      barrier(CLK_LOCAL_MEM_FENCE);
    }
  __global float *out = dw + (((f_tile * 16u + a) * channels + c_tile * 16u + b) * filter_height + r) * filter_width;
  for (uint s = 0; s < 5u; s++)
    if (s < filter_width) out[s] = sums[s];
}
