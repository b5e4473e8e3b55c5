/* Softmax and what follows it in training. Two layouts: `rows`, where the elements that are normalised together lie side by
   side (one work-group of 256 a row), and `columns`, where they lie `inner` elements apart (one work-item each:
   softmax over channels of a plane). algorithm: 0 fast (no maximum subtracted), 1 accurate, 2 logarithm. */

#define FAST 0u
#define LOG 2u

/* Tree reduction over the work-group of 256; the result reaches every work-item. */
#define REDUCE(NAME, COMBINE)                                                                                      \
  __attribute__((always_inline)) static float NAME(__local float *partial, uint l, float v) {                      \
    barrier(CLK_LOCAL_MEM_FENCE);                                                                                  \
    partial[l] = v;                                                                                                \
    for (uint s = 128; s > 0; s >>= 1) {                                                                           \
      barrier(CLK_LOCAL_MEM_FENCE);                                                                                \
      if (l < s) partial[l] = COMBINE(partial[l], partial[l + s]);                                                 \
    }                                                                                                              \
    barrier(CLK_LOCAL_MEM_FENCE);                                                                                  \
    return partial[0];                                                                                             \
  }
#define SUM(a, b) ((a) + (b))
REDUCE(reduce_sum, SUM)
REDUCE(reduce_max, fmax)

/* Grid 256 · rows. */
__kernel __attribute__((reqd_work_group_size(256, 1, 1)))
void softmax_rows_forward(__global const float *restrict x, __global float *restrict y, uint rows, uint length,
                          uint algorithm) {
  __local float partial[256];
  uint l = get_local_id(0), base = get_group_id(0) * length;
  float largest = 0.0f;
  if (algorithm != FAST) {
    largest = -INFINITY;
    for (uint i = l; i < length; i += 256u) largest = fmax(largest, x[base + i]);
    largest = reduce_max(partial, l, largest);
  }
  float sum = 0.0f;
  for (uint i = l; i < length; i += 256u) sum += exp(x[base + i] - largest);
  sum = reduce_sum(partial, l, sum);
  if (algorithm == LOG) {
    float offset = largest + log(sum);
    for (uint i = l; i < length; i += 256u) y[base + i] = x[base + i] - offset;
  } else {
    for (uint i = l; i < length; i += 256u) y[base + i] = exp(x[base + i] - largest) / sum;
  }
}

/* dx = y · (dy − sum(y · dy)), or dy − e^y · sum(dy) for the logarithm. Grid 256 · rows. */
__kernel __attribute__((reqd_work_group_size(256, 1, 1)))
void softmax_rows_backward(__global const float *restrict y, __global const float *restrict dy,
                           __global float *restrict dx, uint rows, uint length, uint algorithm) {
  __local float partial[256];
  uint l = get_local_id(0), base = get_group_id(0) * length;
  float sum = 0.0f;
  for (uint i = l; i < length; i += 256u) sum += algorithm == LOG ? dy[base + i] : y[base + i] * dy[base + i];
  sum = reduce_sum(partial, l, sum);
  for (uint i = l; i < length; i += 256u) {
    float v = y[base + i], g = dy[base + i];
    dx[base + i] = algorithm == LOG ? g - exp(v) * sum : v * (g - sum);
  }
}

/* n = outer · inner columns; column j starts at (j div inner) · length · inner + j mod inner. Grid roundup(n, 256). */
#define COLUMN                                                                                                     \
  uint j = get_group_id(0) * 256u + get_local_id(0);                                                               \
  if (j >= n) return;                                                                                              \
  uint outer = j / inner, first = outer * length * inner + (j - outer * inner), end = first + length * inner

__kernel __attribute__((reqd_work_group_size(256, 1, 1)))
void softmax_columns_forward(__global const float *restrict x, __global float *restrict y, uint n, uint length,
                             uint inner, uint algorithm) {
  COLUMN;
  float largest = 0.0f, sum = 0.0f;
  if (algorithm != FAST) {
    largest = -INFINITY;
    for (uint i = first; i < end; i += inner) largest = fmax(largest, x[i]);
  }
  for (uint i = first; i < end; i += inner) sum += exp(x[i] - largest);
  if (algorithm == LOG) {
    float offset = largest + log(sum);
    for (uint i = first; i < end; i += inner) y[i] = x[i] - offset;
  } else {
    for (uint i = first; i < end; i += inner) y[i] = exp(x[i] - largest) / sum;
  }
}

__kernel __attribute__((reqd_work_group_size(256, 1, 1)))
void softmax_columns_backward(__global const float *restrict y, __global const float *restrict dy,
                              __global float *restrict dx, uint n, uint length, uint inner, uint algorithm) {
  COLUMN;
  float sum = 0.0f;
  for (uint i = first; i < end; i += inner) sum += algorithm == LOG ? dy[i] : y[i] * dy[i];
  for (uint i = first; i < end; i += inner) {
    float v = y[i], g = dy[i];
    dx[i] = algorithm == LOG ? g - exp(v) * sum : v * (g - sum);
  }
}

/* Cross-entropy on softmax outputs y (rows × length): dx = (y − onehot(label)) · scale, and loss[row] = −log y[row, label].
   One work-item per element: work-group 256, grid roundup(rows · length, 256). */
__kernel __attribute__((reqd_work_group_size(256, 1, 1)))
void cross_entropy_gradient(__global const float *restrict y, __global const uint *restrict labels,
                            __global float *restrict dx, __global float *restrict loss, uint rows, uint length,
                            float scale) {
  uint i = get_group_id(0) * 256u + get_local_id(0);
  if (i >= rows * length) return;
  uint row = i / length;
  float v = y[i];
  if (labels[row] == i - row * length) {
    loss[row] = -log(fmax(v, FLT_MIN));
    v -= 1.0f;
  }
  dx[i] = v * scale;
}
