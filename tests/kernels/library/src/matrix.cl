/* Linear algebra in several precisions. */
#pragma OPENCL EXTENSION cl_khr_fp16 : enable
#pragma OPENCL EXTENSION cl_khr_fp64 : enable

__kernel __attribute__((reqd_work_group_size(16, 16, 1)))
void gemm_f64(__global const double *a, __global const double *b, __global double *c, int m, int n, int k) {
  __local double ta[16][16], tb[16][16];
  int x = get_local_id(0), y = get_local_id(1), col = get_group_id(0) * 16 + x, row = get_group_id(1) * 16 + y;
  double sum = 0;
  for (int t = 0; t < k; t += 16) {
    ta[y][x] = row < m && t + x < k ? a[row * k + t + x] : 0.0;
    tb[y][x] = col < n && t + y < k ? b[(t + y) * n + col] : 0.0;
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int i = 0; i < 16; i++) sum = fma(ta[y][i], tb[i][x], sum);
    barrier(CLK_LOCAL_MEM_FENCE);
  }
  if (row < m && col < n) c[row * n + col] = sum;
}

__kernel void dot_f16(__global const half *a, __global const half *b, __global half *products, __global float *sums, int n) {
  int g = get_global_id(0);
  half p = 0;
  float s = 0;
  for (int i = 0; i < n; i++) {
    half x = a[g * n + i], y = b[g * n + i];
    p = x * y + p;
    s += (float)x * (float)y;
  }
  products[g] = p;
  sums[g] = s;
}

__kernel void half2_arith(__global const half2 *a, __global const half2 *b, __global half2 *sum, __global half2 *top, int n) {
  int i = get_global_id(0);
  if (i >= n) return;
  sum[i] = a[i] + b[i];
  top[i] = fmax(a[i], b[i]);
}

__kernel void dot_i8(__global const char4 *a, __global const char4 *b, __global int *out, int n) {
  int g = get_global_id(0), sum = 0;
  for (int i = 0; i < n; i++) {
    char4 x = a[g * n + i], y = b[g * n + i];
    sum += x.x * y.x + x.y * y.y + x.z * y.z + x.w * y.w;
  }
  out[g] = sum;
}

__kernel void spmv_csr(__global const int *start, __global const int *index, __global const float *value,
                       __global const float *x, __global float *y, int rows) {
  int r = get_global_id(0);
  if (r >= rows) return;
  float sum = 0;
  for (int i = start[r]; i < start[r + 1]; i++) sum += value[i] * x[index[i]];
  y[r] = sum;
}

__kernel void spmv_ell(__global const int *index, __global const float *value, __global const float *x, __global float *y,
                       int rows, int width) {
  int r = get_global_id(0);
  if (r >= rows) return;
  float sum = 0;
  for (int i = 0; i < width; i++) sum += value[i * rows + r] * x[index[i * rows + r]];
  y[r] = sum;
}

__kernel void matvec_f64(__global const double *a, __global const double *x, __global double *y, int n) {
  int r = get_global_id(0);
  if (r >= n) return;
  double sum = 0;
  for (int i = 0; i < n; i++) sum += a[r * n + i] * x[i];
  y[r] = sum / sqrt((double)n);
}

/* LU decomposition without pivoting of 32 × 32 in place; one work-group. */
__kernel __attribute__((reqd_work_group_size(32, 1, 1)))
void lu32(__global float *matrix) {
  __local float a[32][33];
  int l = get_local_id(0);
  __global float *m = matrix + get_group_id(0) * 1024;
  for (int r = 0; r < 32; r++) a[r][l] = m[r * 32 + l];
  barrier(CLK_LOCAL_MEM_FENCE);
  for (int k = 0; k < 31; k++) {
    if (l > k) a[l][k] = a[l][k] / a[k][k];
    barrier(CLK_LOCAL_MEM_FENCE);
    if (l > k)
      for (int j = k + 1; j < 32; j++) a[l][j] -= a[l][k] * a[k][j];
    barrier(CLK_LOCAL_MEM_FENCE);
  }
  for (int r = 0; r < 32; r++) m[r * 32 + l] = a[r][l];
}

__kernel __attribute__((reqd_work_group_size(16, 16, 1)))
void transpose16(__global const float *x, __global float *y, int height, int width) {
  __local float t[16][17];
  int a = get_local_id(0), b = get_local_id(1), c = get_group_id(0) * 16, r = get_group_id(1) * 16;
  if (r + b < height && c + a < width) t[b][a] = x[(r + b) * width + c + a];
  barrier(CLK_LOCAL_MEM_FENCE);
  if (c + b < width && r + a < height) y[(c + b) * height + r + a] = t[a][b];
}
