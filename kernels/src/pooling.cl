/* Pooling over NCHW planes. Windows are filter_height × filter_width at stride_h, stride_w from (−pad_h, −pad_w); one that
   runs past the plane is cut off there. Gathers in both directions: no atomics, the same bits every time. One work-item
   per element written: work-group 256, grid roundup(n, 256), n = planes · the written plane's pixels. */

#define WINDOW_ARGS                                                                                                \
  uint n, uint height, uint width, uint out_height, uint out_width, uint filter_height, uint filter_width,        \
      uint stride_h, uint stride_w, uint pad_h, uint pad_w

/* Output element i → its plane, and the rows [top, bottom) and columns [left, right) of X in its window. */
#define OUTPUT_WINDOW                                                                                              \
  uint i = get_group_id(0) * 256u + get_local_id(0);                                                               \
  if (i >= n) return;                                                                                              \
  uint t = i / out_width, q = i - t * out_width, plane = t / out_height, p = t - plane * out_height;               \
  int y0 = (int)(p * stride_h) - (int)pad_h, x0 = (int)(q * stride_w) - (int)pad_w;                                \
  uint top = max(y0, 0), left = max(x0, 0);                                                                        \
  uint bottom = min(y0 + (int)filter_height, (int)height), right = min(x0 + (int)filter_width, (int)width);        \
  uint base = plane * height * width

/* Input element i → its plane and position, and the rows [p0, p1) and columns [q0, q1) of windows that hold it. */
#define INPUT_WINDOWS                                                                                              \
  uint i = get_group_id(0) * 256u + get_local_id(0);                                                               \
  if (i >= n) return;                                                                                              \
  uint t = i / width, w = i - t * width, plane = t / height, h = t - plane * height;                               \
  uint a = h + pad_h, b = w + pad_w;                                                                               \
  uint p0 = a < filter_height ? 0u : (a - filter_height) / stride_h + 1u;                                          \
  uint q0 = b < filter_width ? 0u : (b - filter_width) / stride_w + 1u;                                            \
  uint p1 = min(a / stride_h + 1u, out_height), q1 = min(b / stride_w + 1u, out_width);                            \
  uint base = plane * out_height * out_width

/* y = the window's largest element, index = its place h · width + w in the plane: of equals, the first in row-major order.
   A NaN is larger than anything. */
__kernel __attribute__((reqd_work_group_size(256, 1, 1)))
void max_pool_forward(__global const float *restrict x, __global float *restrict y, __global uint *restrict index,
                      WINDOW_ARGS) {
  OUTPUT_WINDOW;
  float best = -INFINITY;
  uint at = top * width + left;
  for (uint h = top; h < bottom; h++)
    for (uint w = left; w < right; w++) {
      float v = x[base + h * width + w];
      if (v > best || (v != v && best == best)) {
        best = v;
        at = h * width + w;
      }
    }
  y[i] = best;
  index[i] = at;
}

/* dx[i] = sum of dy over the windows whose index is i, rows then columns ascending. */
__kernel __attribute__((reqd_work_group_size(256, 1, 1)))
void max_pool_backward(__global const float *restrict dy, __global const uint *restrict index,
                       __global float *restrict dx, WINDOW_ARGS) {
  INPUT_WINDOWS;
  uint self = h * width + w;
  float sum = 0.0f;
  for (uint p = p0; p < p1; p++)
    for (uint q = q0; q < q1; q++) {
      uint o = base + p * out_width + q;
      if (index[o] == self) sum += dy[o];
    }
  dx[i] = sum;
}

/* What an average divides by: with padding = 1 the window's elements that lie in the padded plane, else those in X. */
#define DIVISOR(TOP, LEFT)                                                                                         \
  (padding ? (min((TOP) + (int)filter_height, (int)(height + pad_h)) - (TOP)) *                                    \
                 (min((LEFT) + (int)filter_width, (int)(width + pad_w)) - (LEFT))                                  \
           : (min((TOP) + (int)filter_height, (int)height) - max((TOP), 0)) *                                      \
                 (min((LEFT) + (int)filter_width, (int)width) - max((LEFT), 0)))

__kernel __attribute__((reqd_work_group_size(256, 1, 1)))
void average_pool_forward(__global const float *restrict x, __global float *restrict y, uint padding, WINDOW_ARGS) {
  OUTPUT_WINDOW;
  float sum = 0.0f;
  for (uint h = top; h < bottom; h++)
    for (uint w = left; w < right; w++) sum += x[base + h * width + w];
  y[i] = sum / (float)DIVISOR(y0, x0);
}

__kernel __attribute__((reqd_work_group_size(256, 1, 1)))
void average_pool_backward(__global const float *restrict dy, __global float *restrict dx, uint padding, WINDOW_ARGS) {
  INPUT_WINDOWS;
  float sum = 0.0f;
  for (uint p = p0; p < p1; p++)
    for (uint q = q0; q < q1; q++) {
      int y0 = (int)(p * stride_h) - (int)pad_h, x0 = (int)(q * stride_w) - (int)pad_w;
      sum += dy[base + p * out_width + q] / (float)DIVISOR(y0, x0);
    }
  dx[i] = sum;
}

/* y[plane] = mean of the plane: one wavefront a plane, lanes stride through it, then a tree over the lanes. */
__kernel __attribute__((reqd_work_group_size(64, 1, 1)))
void global_average_forward(__global const float *restrict x, __global float *restrict y, uint planes, uint pixels) {
  __local float partial[64];
  uint l = get_local_id(0), plane = get_group_id(0);
  float sum = 0.0f;
  for (uint i = l; i < pixels; i += 64u) sum += x[plane * pixels + i];
  partial[l] = sum;
  for (uint s = 32; s > 0; s >>= 1) {
    barrier(CLK_LOCAL_MEM_FENCE);
    if (l < s) partial[l] += partial[l + s];
  }
  if (l == 0) y[plane] = partial[0] / (float)pixels;
}

/* dx[i] = dy[i div pixels] / pixels. */
__kernel __attribute__((reqd_work_group_size(256, 1, 1)))
void global_average_backward(__global const float *restrict dy, __global float *restrict dx, uint n, uint pixels) {
  uint i = get_group_id(0) * 256u + get_local_id(0);
  if (i < n) dx[i] = dy[i / pixels] / (float)pixels;
}
