/* Winograd's minimal filtering F(2×2, 3×3) (Lavin and Gray 2016): 16 multiplications for four outputs of a 3 × 3 filter
   in place of 36. A convolution is: filters and 4 × 4 input tiles transformed, 16 GEMMs over the channels (gemm_scalar with
   K = 16 · channels and k_slice = channels), outputs transformed back. Stride 1, dilation 1.
   Tiles: t = (image · tiles_down + ty) · tiles_across + tx covers outputs (2 ty, 2 tx) to (2 ty + 1, 2 tx + 1). */

/* Transformed filters: u[(i · inputs + c) · outputs + f] for i = 0 … 15. Filter (f, c, r, s) lies at f · output_stride + c ·
   input_stride + 3 r + s, or at … + 8 − 3 r − s where flip is 1 (data gradient). Grid (roundup(outputs, 64), inputs),
   work-group 64. */
__kernel __attribute__((reqd_work_group_size(64, 1, 1)))
void winograd_filter(__global const float *restrict w, __global float *restrict u, uint outputs, uint inputs,
                     uint output_stride, uint input_stride, uint flip) {
  uint f = get_group_id(0) * 64u + get_local_id(0), c = get_group_id(1);
  if (f >= outputs) return;
  __global const float *g = w + f * output_stride + c * input_stride;
  float t[4][3];
  for (uint s = 0; s < 3u; s++) {
    float g0 = g[flip ? 8u - s : s], g1 = g[flip ? 5u - s : 3u + s], g2 = g[flip ? 2u - s : 6u + s];
    t[0][s] = g0;
    t[1][s] = 0.5f * (g0 + g1 + g2);
    t[2][s] = 0.5f * (g0 - g1 + g2);
    t[3][s] = g2;
  }
  __global float *out = u + c * outputs + f;
  uint step = inputs * outputs;
  for (uint i = 0; i < 4u; i++) {
    out[(4u * i) * step] = t[i][0];
    out[(4u * i + 1u) * step] = 0.5f * (t[i][0] + t[i][1] + t[i][2]);
    out[(4u * i + 2u) * step] = 0.5f * (t[i][0] - t[i][1] + t[i][2]);
    out[(4u * i + 3u) * step] = t[i][2];
  }
}

/* Transformed input tiles: v[(i · channels + c) · tiles + t], channels channel0 … of all_channels. Grid
   (roundup(tiles, 64), channels), work-group 64. */
__kernel __attribute__((reqd_work_group_size(64, 1, 1)))
void winograd_input(__global const float *restrict x, __global float *restrict v, uint tiles, uint tiles_down,
                    uint tiles_across, uint channels, uint all_channels, uint channel0, uint height, uint width,
                    uint pad_h, uint pad_w) {
  uint t = get_group_id(0) * 64u + get_local_id(0), c = get_group_id(1);
  if (t >= tiles) return;
  uint row = t / tiles_across, tx = t - row * tiles_across, image = row / tiles_down, ty = row - image * tiles_down;
  __global const float *plane = x + (image * all_channels + channel0 + c) * height * width;
  uint top = 2u * ty - pad_h, left = 2u * tx - pad_w;
  float d[4][4];
#pragma unroll
  for (uint i = 0; i < 4u; i++)
#pragma unroll
    for (uint j = 0; j < 4u; j++) {
      uint h = top + i, k = left + j;
      d[i][j] = 0.0f;
      if (h < height && k < width) d[i][j] = plane[h * width + k];
    }
  float b[4][4];
#pragma unroll
  for (uint j = 0; j < 4u; j++) {
    b[0][j] = d[0][j] - d[2][j];
    b[1][j] = d[1][j] + d[2][j];
    b[2][j] = d[2][j] - d[1][j];
    b[3][j] = d[1][j] - d[3][j];
  }
  __global float *out = v + c * tiles + t;
  uint step = channels * tiles;
#pragma unroll
  for (uint i = 0; i < 4u; i++) {
    out[(4u * i) * step] = b[i][0] - b[i][2];
    out[(4u * i + 1u) * step] = b[i][1] + b[i][2];
    out[(4u * i + 2u) * step] = b[i][2] - b[i][1];
    out[(4u * i + 3u) * step] = b[i][1] - b[i][3];
  }
}

/* Outputs: from m[(i · filters + f) · tiles + t], with bias[f] (null: none). Grid (roundup(tiles, 64), filters), work-group 64. */
__kernel __attribute__((reqd_work_group_size(64, 1, 1)))
void winograd_output(__global const float *restrict m, __global const float *restrict bias, __global float *restrict y,
                     uint tiles, uint tiles_down, uint tiles_across, uint filters, uint all_filters, uint filter0,
                     uint height, uint width) {
  uint t = get_group_id(0) * 64u + get_local_id(0), f = get_group_id(1);
  if (t >= tiles) return;
  uint row = t / tiles_across, tx = t - row * tiles_across, image = row / tiles_down, ty = row - image * tiles_down;
  __global const float *in = m + f * tiles + t;
  uint step = filters * tiles;
  float a[2][4];
#pragma unroll
  for (uint j = 0; j < 4u; j++) {
    float m0 = in[j * step], m1 = in[(4u + j) * step], m2 = in[(8u + j) * step], m3 = in[(12u + j) * step];
    a[0][j] = m0 + m1 + m2;
    a[1][j] = m1 - m2 - m3;
  }
  float start = bias ? bias[filter0 + f] : 0.0f;
  __global float *plane = y + (image * all_filters + filter0 + f) * height * width;
#pragma unroll
  for (uint i = 0; i < 2u; i++) {
    uint h = 2u * ty + i, k = 2u * tx;
    if (h < height) {
      plane[h * width + k] = start + (a[i][0] + a[i][1] + a[i][2]);
      if (k + 1u < width) plane[h * width + k + 1u] = start + (a[i][1] - a[i][2] - a[i][3]);
    }
  }
}
