/* Layout changes that the convolution path needs. */

/* y[c · y_stride + r] = x[r · x_stride + c], rows × columns of x; strides in elements. Work-group 256 moves a
   32 × 32 block through the LDS (33-word rows: no bank conflicts); grid (ceil(columns / 32) · 256, ceil(rows / 32)). */
__kernel __attribute__((reqd_work_group_size(256, 1, 1)))
void transpose(__global const float *restrict x, __global float *restrict y, uint rows, uint columns, uint x_stride,
               uint y_stride) {
  __local float block[32][33];
  uint l = get_local_id(0), a = l & 31u, b = l >> 5;
  uint r0 = get_group_id(1) * 32u, c0 = get_group_id(0) * 32u;
  for (uint i = b; i < 32u; i += 8u)
    if (r0 + i < rows && c0 + a < columns) block[i][a] = x[(r0 + i) * x_stride + c0 + a];
  barrier(CLK_LOCAL_MEM_FENCE);
  for (uint i = b; i < 32u; i += 8u)
    if (c0 + i < columns && r0 + a < rows) y[(c0 + i) * y_stride + r0 + a] = block[a][i];
}

/* transpose of one matrix for each image: y[(n · columns + c) · y_stride + r] = x[n · x_image + r · x_stride + c]. Grid as
   transpose, and images along z. */
__kernel __attribute__((reqd_work_group_size(256, 1, 1)))
void transpose_images(__global const float *restrict x, __global float *restrict y, uint rows, uint columns,
                      uint x_stride, uint x_image, uint y_stride) {
  __local float block[32][33];
  uint l = get_local_id(0), a = l & 31u, b = l >> 5, n = get_group_id(2);
  uint r0 = get_group_id(1) * 32u, c0 = get_group_id(0) * 32u;
  float v[4];
  /* Lanes beyond the edges read the last row or column; nobody stores it. All loads leave before the first is waited for. */
  for (uint i = 0; i < 4u; i++)
    v[i] = x[n * x_image + min(r0 + b + 8u * i, rows - 1u) * x_stride + min(c0 + a, columns - 1u)];
  for (uint i = 0; i < 4u; i++) block[b + 8u * i][a] = v[i];
  barrier(CLK_LOCAL_MEM_FENCE);
  for (uint i = b; i < 32u; i += 8u)
    if (c0 + i < columns && r0 + a < rows) y[(n * columns + c0 + i) * y_stride + r0 + a] = block[a][i];
}

/* y[(n · out_height · out_width + p · out_width + q) · channels + c] = x[n, c, p − pad_h, q − pad_w], 0 in the border: NCHW with a border of
   zeros, channels last. Work-group 256, grid (ceil(out_height · out_width / 32) · 256, ceil(channels / 32), images). */
__kernel __attribute__((reqd_work_group_size(256, 1, 1)))
void pad_border_channels_last(__global const float *restrict x, __global float *restrict y, uint channels, uint height,
                              uint width, uint out_height, uint out_width, uint pad_h, uint pad_w) {
  __local float block[32][33];
  uint l = get_local_id(0), a = l & 31u, b = l >> 5, n = get_group_id(2), pixels = out_height * out_width;
  uint r0 = get_group_id(1) * 32u, c0 = get_group_id(0) * 32u;
  uint e = c0 + a, p = e / out_width, h = p - pad_h, w = e - p * out_width - pad_w;
  bool inside = h < height && w < width;
  uint at = inside ? h * width + w : 0u;
  float v[4];
  /* Lanes of the border or beyond the edges read some element; what they read is replaced by 0 or stored by nobody. */
  for (uint i = 0; i < 4u; i++) v[i] = x[(n * channels + min(r0 + b + 8u * i, channels - 1u)) * height * width + at];
  for (uint i = 0; i < 4u; i++) block[b + 8u * i][a] = inside ? v[i] : 0.0f;
  barrier(CLK_LOCAL_MEM_FENCE);
  for (uint i = b; i < 32u; i += 8u)
    if (c0 + i < pixels && r0 + a < channels) y[(n * pixels + c0 + i) * channels + r0 + a] = block[a][i];
}

/* Convolution epilogue: a GEMM result that holds filter k of output pixel j = image · pixels + pq at
   k · row_stride + j · column_stride (elements) becomes NCHW, plus bias[k] (null: none), clipped at zero when relu is 1.
   filters are those of the group, filter0 the first of them, all_filters the channels of y. One work-item per output:
   grid (roundup(images · pixels, 256), filters), work-group 256. */
__kernel __attribute__((reqd_work_group_size(256, 1, 1)))
void conv_epilogue(__global const float *restrict gemm, __global const float *restrict bias, __global float *restrict y,
                   uint columns, uint pixels, uint row_stride, uint column_stride, uint filter0, uint all_filters,
                   uint relu) {
  uint j = get_group_id(0) * 256u + get_local_id(0), k = get_group_id(1);
  if (j >= columns) return;
  float v = gemm[k * row_stride + j * column_stride];
  if (bias) v += bias[filter0 + k];
  if (relu) v = v > 0.0f ? v : 0.0f;
  y[(j / pixels * all_filters + filter0 + k) * pixels + j % pixels] = v;
}

/* The inverse gather for gradients: dy (NCHW) as a matrix, out[k · row_stride + j · column_stride], j as above; where
   mask is not null, elements whose mask (the forward output, NCHW) is not positive become 0: the ReLU's backward pass.
   Grid (roundup(columns, 256), filters), work-group 256. */
__kernel __attribute__((reqd_work_group_size(256, 1, 1)))
void gradient_matrix(__global const float *restrict dy, __global const float *restrict mask, __global float *restrict out,
                     uint columns, uint pixels, uint row_stride, uint column_stride, uint filter0, uint all_filters) {
  uint j = get_group_id(0) * 256u + get_local_id(0), k = get_group_id(1);
  if (j >= columns) return;
  uint at = (j / pixels * all_filters + filter0 + k) * pixels + j % pixels;
  float v = dy[at];
  if (mask && !(mask[at] > 0.0f)) v = 0.0f;
  out[k * row_stride + j * column_stride] = v;
}

/* y[i] = sum over s of x[s · stride + i] in ascending s: adds the partial results of a GEMM whose K was split.
   Grid roundup(n, 256), work-group 256. */
__kernel __attribute__((reqd_work_group_size(256, 1, 1)))
void sum_slices(__global const float *restrict x, __global float *restrict y, uint n, uint slices, uint stride) {
  uint i = get_group_id(0) * 256u + get_local_id(0);
  if (i >= n) return;
  float sum = 0.0f;
  uint s = 0;
  for (; s + 4u <= slices; s += 4u) { /* four loads leave before the first is waited for */
    float v[4];
    for (uint j = 0; j < 4u; j++) v[j] = x[(s + j) * stride + i];
    for (uint j = 0; j < 4u; j++) sum += v[j];
  }
  for (; s < slices; s++) sum += x[s * stride + i];
  y[i] = sum;
}

/* y[image · image_stride + i] = sum over s of x[s · stride + image · image_stride + i] in ascending s for i < n: sum_slices where some
   rows of each image had all of K. Grid (roundup(n, 256), images), work-group 256. */
__kernel __attribute__((reqd_work_group_size(256, 1, 1)))
void sum_slices_rows(__global const float *restrict x, __global float *restrict y, uint n, uint slices, uint stride,
                     uint image_stride) {
  uint i = get_group_id(0) * 256u + get_local_id(0);
  if (i >= n) return;
  i += get_group_id(1) * image_stride;
  float sum = 0.0f;
  uint s = 0;
  for (; s + 4u <= slices; s += 4u) { /* four loads leave before the first is waited for */
    float v[4];
    for (uint j = 0; j < 4u; j++) v[j] = x[(s + j) * stride + i];
    for (uint j = 0; j < 4u; j++) sum += v[j];
  }
  for (; s < slices; s++) sum += x[s * stride + i];
  y[i] = sum;
}

/* y[m · inner · outer + i · outer + o] = sum over s of x[s · stride + m · inner · outer + o · inner + i] in ascending s: the same, with
   the inner and the outer part of the columns exchanged. Work-group 64, grid (roundup(inner, 64), outer, rows). */
__kernel __attribute__((reqd_work_group_size(64, 1, 1)))
void sum_slices_exchanged(__global const float *restrict x, __global float *restrict y, uint inner, uint outer,
                          uint slices, uint stride) {
  uint i = get_group_id(0) * 64u + get_local_id(0), o = get_group_id(1), m = get_group_id(2) * outer * inner;
  if (i >= inner) return;
  x += m + o * inner + i;
  float sum = 0.0f;
  uint s = 0;
  for (; s + 4u <= slices; s += 4u) { /* four loads leave before the first is waited for */
    float v[4];
    for (uint j = 0; j < 4u; j++) v[j] = x[(s + j) * stride];
    for (uint j = 0; j < 4u; j++) sum += v[j];
  }
  for (; s < slices; s++) sum += x[s * stride];
  y[m + i * outer + o] = sum;
}

/* y[b, c · rows + r] = sum over s of x[s · stride + (b · rows + r) · columns + c] in ascending s: the same, turned over on
   the way, for partial results that were stored with the other index contiguous; b: matrices that lie one behind the
   other in x and y. Work-group 256 does a block of 16 × 16, whose rows are lines; grid (ceil(columns / 16) · 256,
   ceil(rows / 16), matrices). */
__kernel __attribute__((reqd_work_group_size(256, 1, 1)))
void sum_slices_transposed(__global const float *restrict x, __global float *restrict y, uint rows, uint columns,
                           uint slices, uint stride) {
  __local float block[16][17];
  uint l = get_local_id(0), a = l & 15u, b = l >> 4;
  uint r0 = get_group_id(1) * 16u, c0 = get_group_id(0) * 16u;
  /* Lanes beyond the edges read the last row or column; nobody stores what they sum. */
  uint first = get_group_id(2) * rows * columns;
  uint at = first + min(r0 + b, rows - 1u) * columns + min(c0 + a, columns - 1u);
  float sum = 0.0f;
  uint s = 0;
  for (; s + 4u <= slices; s += 4u) { /* four loads leave before the first is waited for */
    float v[4];
    for (uint j = 0; j < 4u; j++) v[j] = x[(s + j) * stride + at];
    for (uint j = 0; j < 4u; j++) sum += v[j];
  }
  for (; s < slices; s++) sum += x[s * stride + at];
  block[b][a] = sum;
  barrier(CLK_LOCAL_MEM_FENCE);
  if (c0 + b < columns && r0 + a < rows) y[first + (c0 + b) * rows + r0 + a] = block[a][b];
}
