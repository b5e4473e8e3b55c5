/* Batch normalisation in training, and sums over a batch. A statistic is taken over `images` images of `pixels` elements
   each: element (image, p) of statistic c lies at (image · statistics + c) · pixels + p.

   - spatial: statistics = C, pixels = H · W, one work-group of 256 per channel;
   - per activation: statistics = C · H · W, pixels = 1, one work-item per statistic, lanes along the statistics.

   mean and inverse_deviation (1 / sqrt(variance + epsilon)) are kept for the backward pass. running = (1 − factor) · running +
   factor · batch, the variance with Bessel's correction m / (m − 1), m the number of elements; either may be null.
   The variance is taken around the mean, in a second sweep. */

__attribute__((always_inline)) static float reduce(__local float *partial, uint l, float v) {
  barrier(CLK_LOCAL_MEM_FENCE);
  partial[l] = v;
  for (uint s = 128; s > 0; s >>= 1) {
    barrier(CLK_LOCAL_MEM_FENCE);
    if (l < s) partial[l] += partial[l + s];
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  return partial[0];
}

/* Sweeps the channel: BODY sees `at`, the address of each element. Two work-group strides an iteration, so that two loads
   are under way. */
#define SWEEP(BODY)                                                                                                \
  for (uint image = 0; image < images; image++) {                                                                  \
    uint base = (image * channels + c) * pixels, p = l;                                                            \
    for (; p + 256u < pixels; p += 512u) {                                                                         \
      { uint at = base + p; BODY }                                                                                 \
      { uint at = base + p + 256u; BODY }                                                                          \
    }                                                                                                              \
    if (p < pixels) { uint at = base + p; BODY }                                                                   \
  }

__attribute__((always_inline)) static void update_running(__global float *running_mean,
                                                          __global float *running_variance, uint c, float average,
                                                          float variance, uint m, float factor) {
  if (running_mean) running_mean[c] = (1.0f - factor) * running_mean[c] + factor * average;
  if (running_variance) {
    float corrected = m > 1u ? variance * ((float)m / (float)(m - 1u)) : variance;
    running_variance[c] = (1.0f - factor) * running_variance[c] + factor * corrected;
  }
}

/* Grid 256 · channels. */
__kernel __attribute__((reqd_work_group_size(256, 1, 1)))
void batchnorm_spatial_forward(__global const float *restrict x, __global const float *restrict gain,
                               __global const float *restrict bias, __global float *restrict y,
                               __global float *restrict mean, __global float *restrict inverse_deviation,
                               __global float *restrict running_mean, __global float *restrict running_variance,
                               uint images, uint channels, uint pixels, float epsilon, float factor) {
  __local float partial[256];
  uint l = get_local_id(0), c = get_group_id(0), m = images * pixels;
  float sum = 0.0f;
  SWEEP(sum += x[at];)
  float average = reduce(partial, l, sum) / (float)m;
  sum = 0.0f;
  SWEEP(float d = x[at] - average; sum += d * d;)
  float variance = reduce(partial, l, sum) / (float)m, inverse = 1.0f / sqrt(variance + epsilon);
  if (l == 0) {
    mean[c] = average;
    inverse_deviation[c] = inverse;
    update_running(running_mean, running_variance, c, average, variance, m, factor);
  }
  float g = gain[c] * inverse, b = bias[c];
  SWEEP(y[at] = (x[at] - average) * g + b;)
}

/* dgain = sum(dy · x̂), dbias = sum(dy), dx = gain · inverse_deviation · (dy − (dbias + x̂ · dgain) / m). Grid 256 · channels. */
__kernel __attribute__((reqd_work_group_size(256, 1, 1)))
void batchnorm_spatial_backward(__global const float *restrict x, __global const float *restrict dy,
                                __global const float *restrict gain, __global const float *restrict mean,
                                __global const float *restrict inverse_deviation, __global float *restrict dx,
                                __global float *restrict dgain, __global float *restrict dbias, uint images,
                                uint channels, uint pixels) {
  __local float partial[256];
  uint l = get_local_id(0), c = get_group_id(0);
  float average = mean[c], inverse = inverse_deviation[c], sum = 0.0f, product = 0.0f;
  SWEEP(float g = dy[at]; sum += g; product += g * ((x[at] - average) * inverse);)
  sum = reduce(partial, l, sum);
  product = reduce(partial, l, product);
  if (l == 0) {
    dbias[c] = sum;
    dgain[c] = product;
  }
  float by_m = 1.0f / (float)(images * pixels), g0 = gain[c] * inverse;
  sum *= by_m;
  product *= by_m;
  SWEEP(dx[at] = g0 * (dy[at] - sum - (x[at] - average) * inverse * product);)
}

/* Grid roundup(statistics, 256). */
__kernel __attribute__((reqd_work_group_size(256, 1, 1)))
void batchnorm_activation_forward(__global const float *restrict x, __global const float *restrict gain,
                                  __global const float *restrict bias, __global float *restrict y,
                                  __global float *restrict mean, __global float *restrict inverse_deviation,
                                  __global float *restrict running_mean, __global float *restrict running_variance,
                                  uint images, uint statistics, float epsilon, float factor) {
  uint c = get_group_id(0) * 256u + get_local_id(0), end = images * statistics;
  if (c >= statistics) return;
  float sum = 0.0f;
  for (uint at = c; at < end; at += statistics) sum += x[at];
  float average = sum / (float)images;
  sum = 0.0f;
  for (uint at = c; at < end; at += statistics) {
    float d = x[at] - average;
    sum += d * d;
  }
  float variance = sum / (float)images, inverse = 1.0f / sqrt(variance + epsilon);
  mean[c] = average;
  inverse_deviation[c] = inverse;
  update_running(running_mean, running_variance, c, average, variance, images, factor);
  float g = gain[c] * inverse, b = bias[c];
  for (uint at = c; at < end; at += statistics) y[at] = (x[at] - average) * g + b;
}

/* Grid roundup(statistics, 256). */
__kernel __attribute__((reqd_work_group_size(256, 1, 1)))
void batchnorm_activation_backward(__global const float *restrict x, __global const float *restrict dy,
                                   __global const float *restrict gain, __global const float *restrict mean,
                                   __global const float *restrict inverse_deviation, __global float *restrict dx,
                                   __global float *restrict dgain, __global float *restrict dbias, uint images,
                                   uint statistics) {
  uint c = get_group_id(0) * 256u + get_local_id(0), end = images * statistics;
  if (c >= statistics) return;
  float average = mean[c], inverse = inverse_deviation[c], sum = 0.0f, product = 0.0f;
  for (uint at = c; at < end; at += statistics) {
    float g = dy[at];
    sum += g;
    product += g * ((x[at] - average) * inverse);
  }
  dbias[c] = sum;
  dgain[c] = product;
  float by_m = 1.0f / (float)images, g0 = gain[c] * inverse;
  sum *= by_m;
  product *= by_m;
  for (uint at = c; at < end; at += statistics)
    dx[at] = g0 * (dy[at] - sum - (x[at] - average) * inverse * product);
}

/* mean and inverse_deviation alone: what a backward pass computes again when the forward pass kept nothing. Grid
   256 · channels, and roundup(statistics, 256). */
__kernel __attribute__((reqd_work_group_size(256, 1, 1)))
void batchnorm_spatial_statistics(__global const float *restrict x, __global float *restrict mean,
                                  __global float *restrict inverse_deviation, uint images, uint channels, uint pixels,
                                  float epsilon) {
  __local float partial[256];
  uint l = get_local_id(0), c = get_group_id(0), m = images * pixels;
  float sum = 0.0f;
  SWEEP(sum += x[at];)
  float average = reduce(partial, l, sum) / (float)m;
  sum = 0.0f;
  SWEEP(float d = x[at] - average; sum += d * d;)
  float variance = reduce(partial, l, sum) / (float)m;
  if (l == 0) {
    mean[c] = average;
    inverse_deviation[c] = 1.0f / sqrt(variance + epsilon);
  }
}

__kernel __attribute__((reqd_work_group_size(256, 1, 1)))
void batchnorm_activation_statistics(__global const float *restrict x, __global float *restrict mean,
                                     __global float *restrict inverse_deviation, uint images, uint statistics,
                                     float epsilon) {
  uint c = get_group_id(0) * 256u + get_local_id(0), end = images * statistics;
  if (c >= statistics) return;
  float sum = 0.0f;
  for (uint at = c; at < end; at += statistics) sum += x[at];
  float average = sum / (float)images;
  sum = 0.0f;
  for (uint at = c; at < end; at += statistics) {
    float d = x[at] - average;
    sum += d * d;
  }
  mean[c] = average;
  inverse_deviation[c] = 1.0f / sqrt(sum / (float)images + epsilon);
}

/* dbias[c] = sum of dy over images and pixels: the gradient of a convolution's bias. Grid 256 · channels. */
__kernel __attribute__((reqd_work_group_size(256, 1, 1)))
void bias_gradient(__global const float *restrict dy, __global float *restrict dbias, uint images, uint channels,
                   uint pixels) {
  __local float partial[256];
  uint l = get_local_id(0), c = get_group_id(0);
  float sum = 0.0f;
  SWEEP(sum += dy[at];)
  sum = reduce(partial, l, sum);
  if (l == 0) dbias[c] = sum;
}

/* dbias[j] = sum over rows of dy[row · columns + j]: the gradient of a fully connected layer's bias. Grid
   roundup(columns, 256). */
__kernel __attribute__((reqd_work_group_size(256, 1, 1)))
void column_sums(__global const float *restrict dy, __global float *restrict dbias, uint rows, uint columns) {
  uint j = get_group_id(0) * 256u + get_local_id(0);
  if (j >= columns) return;
  float sum = 0.0f;
  for (uint r = 0; r < rows; r++) sum += dy[r * columns + j];
  dbias[j] = sum;
}
