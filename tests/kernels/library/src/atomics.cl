/* Atomics on LDS and global memory, 32 and 64 bits. */
#pragma OPENCL EXTENSION cl_khr_int64_base_atomics : enable
#pragma OPENCL EXTENSION cl_khr_int64_extended_atomics : enable

__kernel __attribute__((reqd_work_group_size(256, 1, 1)))
void histogram(__global const uchar *x, __global uint *bins, int n) {
  __local uint local_bins[256];
  int l = get_local_id(0);
  local_bins[l] = 0;
  barrier(CLK_LOCAL_MEM_FENCE);
  for (int i = get_global_id(0); i < n; i += get_global_size(0)) atomic_inc(&local_bins[x[i]]);
  barrier(CLK_LOCAL_MEM_FENCE);
  atomic_add(&bins[l], local_bins[l]);
}

/* out: min, max (signed), umin, umax, and, or, xor, sum, difference */
__kernel void atomic_reductions(__global const int *x, __global int *out, int n) {
  int i = get_global_id(0);
  if (i >= n) return;
  atomic_min(&out[0], x[i]);
  atomic_max(&out[1], x[i]);
  atomic_min((volatile __global uint *)&out[2], (uint)x[i]);
  atomic_max((volatile __global uint *)&out[3], (uint)x[i]);
  atomic_and(&out[4], x[i]);
  atomic_or(&out[5], x[i]);
  atomic_xor(&out[6], x[i]);
  atomic_add(&out[7], x[i]);
  atomic_sub(&out[8], x[i]);
}

__kernel void atomic_sum64(__global const ulong *x, __global ulong *out, int n) {
  int i = get_global_id(0);
  if (i >= n) return;
  atom_add(&out[0], x[i]);
  atom_max(&out[1], x[i]);
  atom_xor(&out[2], x[i]);
}

/* Adds floats by compare-and-swap; integers small enough that the order does not matter. */
__kernel void float_add_cas(__global const float *x, __global uint *sum, int n) {
  int i = get_global_id(0);
  if (i >= n) return;
  uint old = *(volatile __global uint *)sum, seen;
  for (;;) {
    seen = atomic_cmpxchg(sum, old, as_uint(as_float(old) + x[i]));
    if (seen == old) break;
    old = seen;
  }
}

/* Keeps positive elements, in any order; count receives how many. */
__kernel void append_positive(__global const int *x, __global int *kept, __global uint *count, int n) {
  int i = get_global_id(0);
  if (i < n && x[i] > 0) kept[atomic_inc(count)] = x[i];
}

__kernel __attribute__((reqd_work_group_size(64, 1, 1)))
void lds_exchange(__global const int *x, __global int *out) {
  __local int cell, total;
  int l = get_local_id(0), g = get_global_id(0);
  if (l == 0) { cell = -1; total = 0; }
  barrier(CLK_LOCAL_MEM_FENCE);
  int old = atomic_xchg(&cell, x[g]);
  atomic_add(&total, old);
  barrier(CLK_LOCAL_MEM_FENCE);
  if (l == 0) out[get_group_id(0)] = total + cell;
}
