/* ReLU, forward and backward. Work-group 256; each work-item does four elements, so the grid is
   roundup(ceil(n / 4), 256) work-items. Any n and any 4-byte aligned pointers: the last work-item that holds
   fewer than four elements goes one by one. */

__kernel __attribute__((reqd_work_group_size(256, 1, 1)))
void relu_forward(__global const float *restrict x, __global float *restrict y, uint n) {
  uint i = (get_group_id(0) * 256u + get_local_id(0)) * 4u;
  if (i + 4u <= n) {
    float4 v = vload4(0, x + i);
    vstore4(v > 0.0f ? v : (float4)(0.0f), 0, y + i);
  } else {
    for (; i < n; i++) y[i] = x[i] > 0.0f ? x[i] : 0.0f;
  }
}

/* dx = dy where the forward input (or output: both have the same sign test) is positive, else 0. */
__kernel __attribute__((reqd_work_group_size(256, 1, 1)))
void relu_backward(__global const float *restrict x, __global const float *restrict dy, __global float *restrict dx,
                   uint n) {
  uint i = (get_group_id(0) * 256u + get_local_id(0)) * 4u;
  if (i + 4u <= n) {
    float4 v = vload4(0, x + i), g = vload4(0, dy + i);
    vstore4(v > 0.0f ? g : (float4)(0.0f), 0, dx + i);
  } else {
    for (; i < n; i++) dx[i] = x[i] > 0.0f ? dy[i] : 0.0f;
  }
}

/* ReLU that also counts its zeros: counts[g] receives the zeros among the 1,024 elements of work-group g.
   The tensor's total is the sum of counts; no atomics, so counts need not be cleared first. */
__kernel __attribute__((reqd_work_group_size(256, 1, 1)))
void relu_forward_count(__global const float *restrict x, __global float *restrict y, __global uint *restrict counts,
                        uint n) {
  __local uint partial[256];
  uint l = get_local_id(0), i = (get_group_id(0) * 256u + l) * 4u, zeros = 0;
  if (i + 4u <= n) {
    float4 v = vload4(0, x + i);
    v = v > 0.0f ? v : (float4)(0.0f);
    vstore4(v, 0, y + i);
    zeros = (v.x == 0.0f) + (v.y == 0.0f) + (v.z == 0.0f) + (v.w == 0.0f);
  } else {
    for (; i < n; i++) {
      float v = x[i] > 0.0f ? x[i] : 0.0f;
      y[i] = v;
      zeros += v == 0.0f;
    }
  }
  partial[l] = zeros;
  for (uint s = 128; s > 0; s >>= 1) {
    barrier(CLK_LOCAL_MEM_FENCE);
    if (l < s) partial[l] += partial[l + s];
  }
  if (l == 0) counts[get_group_id(0)] = partial[0];
}
