// Kernels whose objects exercise the loader: a constant table, a function call, local memory, a private array.
__constant float table[8] = {1, 2, 3, 4, 5, 6, 7, 8};

__attribute__((noinline)) static float helper(float x, __global const float *t) { return x * t[0] + 1.0f; }

__kernel void add(__global float *a, __global const float *b, int n, float s) {
  int i = get_global_id(0);
  if (i < n) a[i] += b[i] * s + table[i & 7];
}

__kernel __attribute__((reqd_work_group_size(16, 4, 1))) void call(__global float *a, __global const float *b, __local float *tmp) {
  __local float l[64];
  int i = get_local_id(0) + 16 * get_local_id(1);
  l[i] = helper(a[i], b);
  tmp[i] = l[i];
  barrier(CLK_LOCAL_MEM_FENCE);
  a[get_global_id(0) + get_global_id(1) * get_global_size(0)] = l[63 - i] + tmp[i ^ 1];
}

__kernel void spill(__global int *a, int n) {
  int v[64];
  for (int i = 0; i < 64; i++) v[i] = a[i];
  for (int i = 0; i < n; i++) v[a[i] & 63] += i;
  int s = 0;
  for (int i = 0; i < 64; i++) s ^= v[i] * i;
  a[64 + get_global_id(0)] = s + get_num_groups(0) * 1000 + get_local_size(1);
}

// What every work-item knows of its place, 25 numbers each.
__kernel void geometry(__global ulong *out) {
  size_t p[3];
  for (int d = 0; d < 3; d++) p[d] = get_global_id(d) - get_global_offset(d);
  out += 25 * ((p[2] * get_global_size(1) + p[1]) * get_global_size(0) + p[0]);
  for (int d = 0; d < 3; d++) {
    out[d] = get_global_id(d);
    out[3 + d] = get_local_id(d);
    out[6 + d] = get_group_id(d);
    out[9 + d] = get_global_size(d);
    out[12 + d] = get_local_size(d);
    out[15 + d] = get_num_groups(d);
    out[18 + d] = get_global_offset(d);
    out[21 + d] = get_enqueued_local_size(d);
  }
  out[24] = get_work_dim();
}
