/* Local response normalisation: y = x · s^−beta with s = k + alpha / size · (sum of squares of x over a window), size the
   number of elements of a full window. Across channels the window holds local_size channels, from (local_size − 1) div 2
   before to local_size div 2 after; within a channel, the same in both directions of the plane. Elements outside are 0.
   s is kept for the backward pass:

     dx_i = dy_i · s_i^−beta − 2 · beta · alpha / size · x_i · sum over windows j that hold i of dy_j · y_j / s_j

   One work-item per element: work-group 256, grid roundup(n, 256). Base-2 logarithm and exponential are the hardware's. */

#define ITEM                                                                                                       \
  uint i = get_group_id(0) * 256u + get_local_id(0);                                                               \
  if (i >= n) return

__attribute__((always_inline)) static float power(float s, float exponent) {
  return native_exp2(exponent * native_log2(s));
}

__kernel __attribute__((reqd_work_group_size(256, 1, 1)))
void lrn_channels_forward(__global const float *restrict x, __global float *restrict y, __global float *restrict scale,
                          uint n, uint channels, uint pixels, uint local_size, float alpha_by_size, float beta,
                          float k) {
  ITEM;
  uint c = i / pixels % channels, before = min((local_size - 1u) / 2u, c), end = min(c + local_size / 2u, channels - 1u);
  float sum = 0.0f;
  uint at = i - before * pixels;
  for (uint j = c - before; j <= end; j++, at += pixels) sum += x[at] * x[at];
  float s = k + alpha_by_size * sum;
  scale[i] = s;
  y[i] = x[i] * power(s, -beta);
}

__kernel __attribute__((reqd_work_group_size(256, 1, 1)))
void lrn_channels_backward(__global const float *restrict x, __global const float *restrict y,
                           __global const float *restrict scale, __global const float *restrict dy,
                           __global float *restrict dx, uint n, uint channels, uint pixels, uint local_size,
                           float alpha_by_size, float beta) {
  ITEM;
  uint c = i / pixels % channels, before = min(local_size / 2u, c), end = min(c + (local_size - 1u) / 2u, channels - 1u);
  float sum = 0.0f;
  uint at = i - before * pixels;
  for (uint j = c - before; j <= end; j++, at += pixels) sum += dy[at] * y[at] / scale[at];
  dx[i] = dy[i] * power(scale[i], -beta) - 2.0f * beta * alpha_by_size * x[i] * sum;
}

/* Rows [h0, h1] and columns [w0, w1] of the plane: `low` before and `high` after element i. */
#define NEIGHBOURS(LOW, HIGH)                                                                                      \
  uint t = i / width, w = i - t * width, plane = t / height, h = t - plane * height, base = plane * height * width; \
  uint h0 = h - min(LOW, h), h1 = min(h + HIGH, height - 1u), w0 = w - min(LOW, w), w1 = min(w + HIGH, width - 1u)

__kernel __attribute__((reqd_work_group_size(256, 1, 1)))
void lrn_within_forward(__global const float *restrict x, __global float *restrict y, __global float *restrict scale,
                        uint n, uint height, uint width, uint local_size, float alpha_by_size, float beta, float k) {
  ITEM;
  NEIGHBOURS((local_size - 1u) / 2u, local_size / 2u);
  float sum = 0.0f;
  for (uint r = h0; r <= h1; r++)
    for (uint s = w0; s <= w1; s++) {
      float v = x[base + r * width + s];
      sum += v * v;
    }
  float s = k + alpha_by_size * sum;
  scale[i] = s;
  y[i] = x[i] * power(s, -beta);
}

__kernel __attribute__((reqd_work_group_size(256, 1, 1)))
void lrn_within_backward(__global const float *restrict x, __global const float *restrict y,
                         __global const float *restrict scale, __global const float *restrict dy,
                         __global float *restrict dx, uint n, uint height, uint width, uint local_size,
                         float alpha_by_size, float beta) {
  ITEM;
  NEIGHBOURS(local_size / 2u, (local_size - 1u) / 2u);
  float sum = 0.0f;
  for (uint r = h0; r <= h1; r++)
    for (uint s = w0; s <= w1; s++) {
      uint at = base + r * width + s;
      sum += dy[at] * y[at] / scale[at];
    }
  dx[i] = dy[i] * power(scale[i], -beta) - 2.0f * beta * alpha_by_size * x[i] * sum;
}
