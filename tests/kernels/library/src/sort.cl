/* Sorting and searching. */

/* One work-group sorts 512 keys in the LDS. */
__kernel __attribute__((reqd_work_group_size(256, 1, 1)))
void bitonic_sort(__global uint *keys) {
  __local uint a[512];
  uint l = get_local_id(0), base = get_group_id(0) * 512u;
  a[l] = keys[base + l];
  a[l + 256] = keys[base + l + 256];
  for (uint size = 2; size <= 512; size <<= 1)
    for (uint stride = size >> 1; stride > 0; stride >>= 1) {
      barrier(CLK_LOCAL_MEM_FENCE);
      uint i = 2 * l - (l & (stride - 1)), j = i + stride;
      uint up = (i & size) == 0, x = a[i], y = a[j];
      if ((x > y) == up) { a[i] = y; a[j] = x; }
    }
  barrier(CLK_LOCAL_MEM_FENCE);
  keys[base + l] = a[l];
  keys[base + l + 256] = a[l + 256];
}

/* One work-group of 64 sorts n keys by 4-bit digits, stable; lane l owns n / 64 adjacent keys. n a multiple of 64. */
__kernel __attribute__((reqd_work_group_size(64, 1, 1)))
void radix_sort(__global uint *keys, __global uint *other, int n) {
  __local ushort counts[16][64];
  __local uint starts[16];
  int l = get_local_id(0), each = n / 64;
  __global uint *from = keys, *to = other;
  for (int shift = 0; shift < 32; shift += 4) {
    for (int d = 0; d < 16; d++) counts[d][l] = 0;
    for (int i = 0; i < each; i++) counts[(from[l * each + i] >> shift) & 15][l]++;
    barrier(CLK_LOCAL_MEM_FENCE);
    if (l < 16) {
      uint sum = 0;
      for (int i = 0; i < 64; i++) { uint c = counts[l][i]; counts[l][i] = (ushort)sum; sum += c; }
      starts[l] = sum;
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    if (l == 0) {
      uint sum = 0;
      for (int d = 0; d < 16; d++) { uint c = starts[d]; starts[d] = sum; sum += c; }
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int i = 0; i < each; i++) {
      uint key = from[l * each + i], d = (key >> shift) & 15;
      to[starts[d] + counts[d][l]++] = key;
    }
    barrier(CLK_GLOBAL_MEM_FENCE);
    __global uint *t = from;
    from = to;
    to = t;
  }
}

__kernel void rank_sort(__global const float *x, __global float *y, int n) {
  int i = get_global_id(0);
  if (i >= n) return;
  int rank = 0;
  for (int j = 0; j < n; j++) rank += x[j] < x[i] || (x[j] == x[i] && j < i);
  y[rank] = x[i];
}

__kernel void binary_search(__global const int *sorted, __global const int *wanted, __global int *at, int n, int queries) {
  int i = get_global_id(0);
  if (i >= queries) return;
  int low = 0, high = n;
  while (low < high) {
    int middle = (low + high) >> 1;
    if (sorted[middle] < wanted[i]) low = middle + 1;
    else high = middle;
  }
  at[i] = low;
}

__kernel void merge_sorted(__global const int *a, __global const int *b, __global int *out, int n, int m) {
  int i = get_global_id(0);
  if (i >= n + m) return;
  int own = i < n, key = own ? a[i] : b[i - n], low = 0, high = own ? m : n;
  while (low < high) {
    int middle = (low + high) / 2, v = own ? b[middle] : a[middle];
    if (own ? v < key : v <= key) low = middle + 1;
    else high = middle;
  }
  out[(own ? i : i - n) + low] = key;
}
