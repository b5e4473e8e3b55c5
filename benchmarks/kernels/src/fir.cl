/* Finite impulse response filter, for benchmarks only: y[i] = sum over t of taps[t] · x[i + t], t ascending. x has n + count − 1
   elements. One work-item an output, coefficients through scalar loads. Grid roundup(n, 256), work-group 256. */
__kernel __attribute__((reqd_work_group_size(256, 1, 1)))
void fir(__global const float *restrict x, __constant float *restrict taps, __global float *restrict y, uint n, uint count) {
  uint i = get_group_id(0) * 256u + get_local_id(0);
  if (i >= n) return;
  float sum = 0.0f;
  for (uint t = 0; t < count; t++) sum += taps[t] * x[i + t];
  y[i] = sum;
}
