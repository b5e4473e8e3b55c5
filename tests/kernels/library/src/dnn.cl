/* Layers of neural networks: reductions through the LDS, transcendental functions. */

/* One work-group a row of `width` elements. */
__kernel __attribute__((reqd_work_group_size(64, 1, 1)))
void softmax(__global const float *x, __global float *y, int width) {
  __local float part[64];
  int l = get_local_id(0), row = get_group_id(0) * width;
  float top = -INFINITY;
  for (int i = l; i < width; i += 64) top = fmax(top, x[row + i]);
  part[l] = top;
  for (int s = 32; s > 0; s >>= 1) {
    barrier(CLK_LOCAL_MEM_FENCE);
    if (l < s) part[l] = fmax(part[l], part[l + s]);
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  top = part[0];
  barrier(CLK_LOCAL_MEM_FENCE);
  float sum = 0;
  for (int i = l; i < width; i += 64) sum += exp(x[row + i] - top);
  part[l] = sum;
  for (int s = 32; s > 0; s >>= 1) {
    barrier(CLK_LOCAL_MEM_FENCE);
    if (l < s) part[l] += part[l + s];
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  sum = part[0];
  for (int i = l; i < width; i += 64) y[row + i] = exp(x[row + i] - top) / sum;
}

/* One work-item a channel of an N × C × P tensor. */
__kernel void batch_norm(__global const float *x, __global const float *scale, __global const float *shift,
                         __global float *y, int images, int channels, int pixels, float epsilon) {
  int c = get_global_id(0);
  if (c >= channels) return;
  float sum = 0, squares = 0;
  for (int n = 0; n < images; n++)
    for (int p = 0; p < pixels; p++) sum += x[(n * channels + c) * pixels + p];
  float mean = sum / (images * pixels);
  for (int n = 0; n < images; n++)
    for (int p = 0; p < pixels; p++) {
      float d = x[(n * channels + c) * pixels + p] - mean;
      squares += d * d;
    }
  float factor = rsqrt(squares / (images * pixels) + epsilon) * scale[c];
  for (int n = 0; n < images; n++)
    for (int p = 0; p < pixels; p++) {
      int i = (n * channels + c) * pixels + p;
      y[i] = (x[i] - mean) * factor + shift[c];
    }
}

__kernel void gelu(__global const float *x, __global float *y, int n) {
  int i = get_global_id(0);
  if (i < n) y[i] = 0.5f * x[i] * (1.0f + erf(x[i] * 0.70710678f));
}

__kernel void sigmoid_tanh(__global const float *x, __global float *sigmoid, __global float *tangent, int n) {
  int i = get_global_id(0);
  if (i >= n) return;
  sigmoid[i] = 1.0f / (1.0f + exp(-x[i]));
  tangent[i] = tanh(x[i]);
}

/* 2 × 2 maximum with the place of the maximum, 3-D grid (q, p, channel). */
__kernel void max_pool(__global const float *x, __global float *y, __global uchar *where, int height, int width) {
  int q = get_global_id(0), p = get_global_id(1), c = get_global_id(2);
  int out_width = width / 2, out_height = height / 2;
  if (q >= out_width || p >= out_height) return;
  float top = -INFINITY;
  uchar at = 0;
  for (int r = 0; r < 2; r++)
    for (int s = 0; s < 2; s++) {
      float v = x[(c * height + 2 * p + r) * width + 2 * q + s];
      if (v > top) { top = v; at = (uchar)(2 * r + s); }
    }
  int o = (c * out_height + p) * out_width + q;
  y[o] = top;
  where[o] = at;
}

__kernel void adam(__global float *w, __global const float *g, __global float *m, __global float *v, float rate, int n) {
  int i = get_global_id(0);
  if (i >= n) return;
  float a = 0.9f * m[i] + 0.1f * g[i], b = 0.999f * v[i] + 0.001f * g[i] * g[i];
  m[i] = a;
  v[i] = b;
  w[i] -= rate * a / (sqrt(b) + 1e-8f);
}
