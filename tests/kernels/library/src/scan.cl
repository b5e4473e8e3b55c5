/* Scans, reductions, and the cross-lane instructions. */

__kernel __attribute__((reqd_work_group_size(256, 1, 1)))
void prefix_scan(__global const int *x, __global int *y, __global int *totals) {
  __local int a[2][256];
  int l = get_local_id(0), g = get_global_id(0), from = 0;
  a[0][l] = x[g];
  for (int d = 1; d < 256; d <<= 1) {
    barrier(CLK_LOCAL_MEM_FENCE);
    a[1 - from][l] = l >= d ? a[from][l] + a[from][l - d] : a[from][l];
    from = 1 - from;
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  y[g] = a[from][l];
  if (l == 255) totals[get_group_id(0)] = a[from][l];
}

__kernel __attribute__((reqd_work_group_size(256, 1, 1)))
void tree_sum(__global const float *x, __global float *out, int n) {
  __local float a[256];
  int l = get_local_id(0);
  float sum = 0;
  for (int i = get_global_id(0); i < n; i += get_global_size(0)) sum += x[i];
  a[l] = sum;
  for (int s = 128; s > 0; s >>= 1) {
    barrier(CLK_LOCAL_MEM_FENCE);
    if (l < s) a[l] += a[l + s];
  }
  if (l == 0) out[get_group_id(0)] = a[0];
}

/* Sum over 64 lanes by swizzle (within 32), then readlane. */
__kernel __attribute__((reqd_work_group_size(64, 1, 1)))
void swizzle_sum(__global const int *x, __global int *out) {
  int v = x[get_global_id(0)];
  v += __builtin_amdgcn_ds_swizzle(v, 0x041F);
  v += __builtin_amdgcn_ds_swizzle(v, 0x081F);
  v += __builtin_amdgcn_ds_swizzle(v, 0x101F);
  v += __builtin_amdgcn_ds_swizzle(v, 0x201F);
  v += __builtin_amdgcn_ds_swizzle(v, 0x401F);
  int total = __builtin_amdgcn_readlane(v, 0) + __builtin_amdgcn_readlane(v, 63);
  if (get_local_id(0) == 0) out[get_group_id(0)] = total;
}

/* Inclusive scan of 64 lanes with DPP row shifts and broadcasts. */
__kernel __attribute__((reqd_work_group_size(64, 1, 1)))
void dpp_scan(__global const int *x, __global int *y) {
  int v = x[get_global_id(0)];
  v += __builtin_amdgcn_update_dpp(0, v, 0x111, 0xf, 0xf, false);
  v += __builtin_amdgcn_update_dpp(0, v, 0x112, 0xf, 0xf, false);
  v += __builtin_amdgcn_update_dpp(0, v, 0x114, 0xf, 0xf, false);
  v += __builtin_amdgcn_update_dpp(0, v, 0x118, 0xf, 0xf, false);
  v += __builtin_amdgcn_update_dpp(0, v, 0x142, 0xa, 0xf, false);
  v += __builtin_amdgcn_update_dpp(0, v, 0x143, 0xc, 0xf, false);
  y[get_global_id(0)] = v;
}

/* y[l] = x[index[l]] within the wavefront, forwards and backwards. */
__kernel __attribute__((reqd_work_group_size(64, 1, 1)))
void lane_permute(__global const int *x, __global const int *index, __global int *pulled, __global int *pushed) {
  int g = get_global_id(0);
  pulled[g] = __builtin_amdgcn_ds_bpermute(index[g] << 2, x[g]);
  pushed[g] = __builtin_amdgcn_ds_permute(index[g] << 2, x[g]);
}

/* Number of lower lanes whose element is positive, by v_mbcnt. */
__kernel __attribute__((reqd_work_group_size(64, 1, 1)))
void lane_rank(__global const int *x, __global uint *rank) {
  int g = get_global_id(0);
  ulong mask = __builtin_amdgcn_uicmpl((ulong)(x[g] > 0), 0, 33);
  rank[g] = __builtin_amdgcn_mbcnt_hi((uint)(mask >> 32), __builtin_amdgcn_mbcnt_lo((uint)mask, 0));
}

__kernel __attribute__((reqd_work_group_size(64, 1, 1)))
void arg_max(__global const float *x, __global uint *where, int width) {
  __local float top[64];
  __local uint at[64];
  uint l = get_local_id(0), row = get_group_id(0);
  float best = -INFINITY;
  uint index = 0;
  for (uint i = l; i < (uint)width; i += 64)
    if (x[row * width + i] > best) { best = x[row * width + i]; index = i; }
  top[l] = best;
  at[l] = index;
  for (uint s = 32; s > 0; s >>= 1) {
    barrier(CLK_LOCAL_MEM_FENCE);
    if (l < s && (top[l + s] > top[l] || (top[l + s] == top[l] && at[l + s] < at[l]))) {
      top[l] = top[l + s];
      at[l] = at[l + s];
    }
  }
  if (l == 0) where[row] = at[0];
}
