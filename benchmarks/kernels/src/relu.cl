/* ReLU with one element a work-item, for benchmarks only: what is usually measured, where kernels/src/relu.cl takes four elements at
   a time. Grid roundup(n, 64), work-group 64. */
__kernel __attribute__((reqd_work_group_size(64, 1, 1)))
void relu(__global const float *restrict x, __global float *restrict y, uint n) {
  uint i = get_group_id(0) * 64u + get_local_id(0);
  if (i < n) y[i] = fmax(x[i], 0.0f);
}
