/* Softmax over the rows of a matrix, for benchmarks only: a work-group of 256 takes a row of any length, maximum and sum by
   reductions in the LDS. Grid 256 · rows, work-group 256. */
__kernel __attribute__((reqd_work_group_size(256, 1, 1)))
void softmax(__global const float *restrict x, __global float *restrict y, uint columns) {
  __local float partial[256];
  uint l = get_local_id(0);
  __global const float *in = x + get_group_id(0) * columns;
  __global float *out = y + get_group_id(0) * columns;
  float most = -INFINITY;
  for (uint i = l; i < columns; i += 256u) most = fmax(most, in[i]);
  partial[l] = most;
  for (uint s = 128; s > 0; s >>= 1) {
    barrier(CLK_LOCAL_MEM_FENCE);
    if (l < s) partial[l] = fmax(partial[l], partial[l + s]);
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  most = partial[0];
  barrier(CLK_LOCAL_MEM_FENCE);
  float sum = 0.0f;
  for (uint i = l; i < columns; i += 256u) {
    float e = native_exp(in[i] - most);
    out[i] = e;
    sum += e;
  }
  partial[l] = sum;
  for (uint s = 128; s > 0; s >>= 1) {
    barrier(CLK_LOCAL_MEM_FENCE);
    if (l < s) partial[l] += partial[l + s];
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  float scale = native_recip(partial[0]);
  for (uint i = l; i < columns; i += 256u) out[i] *= scale;
}
