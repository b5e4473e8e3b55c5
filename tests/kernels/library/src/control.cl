/* Control flow, calls, scratch memory, grids. */

__kernel void collatz(__global uint *steps, int n) {
  int i = get_global_id(0);
  if (i >= n) return;
  ulong v = (ulong)i + 1;
  uint s = 0;
  while (v != 1) {
    v = v & 1 ? 3 * v + 1 : v >> 1;
    s++;
  }
  steps[i] = s;
}

__attribute__((noinline)) static float polynomial(float x, __global const float *c, int n) {
  float y = 0;
  for (int i = 0; i < n; i++) y = y * x + c[i];
  return y;
}

/* A real call, and more live values than registers allow without spilling. */
__kernel __attribute__((amdgpu_num_vgpr(24)))
void call_and_spill(__global const float *x, __global const float *c, __global float *y, int n) {
  int g = get_global_id(0);
  float live[32];
  #pragma unroll
  for (int i = 0; i < 32; i++) live[i] = x[g * 32 + i];
  float p = polynomial(live[0], c, n), q = polynomial(live[31], c, n);
  #pragma unroll
  for (int i = 0; i < 32; i++) p = p * 0.5f + live[i] * live[(i * 7 + 3) & 31];
  y[g] = p + q;
}

/* An array in private memory, indexed at run time. */
__kernel void private_array(__global const int *index, __global int *out, int n) {
  int g = get_global_id(0), a[64];
  for (int i = 0; i < 64; i++) a[i] = i * i + g;
  for (int i = 0; i < n; i++) {
    int j = index[g * n + i] & 63;
    a[j] = a[(j + 17) & 63] + i;
  }
  int sum = 0;
  for (int i = 0; i < 64; i++) sum = sum * 31 + a[i];
  out[g] = sum;
}

__kernel void switch_machine(__global const uchar *program, __global int *out, int length) {
  int g = get_global_id(0), a = g, b = 1;
  for (int i = 0; i < length; i++) switch (program[(i + g) % length] & 7) {
      case 0: a += b; break;
      case 1: b ^= a; break;
      case 2: a <<= 1; break;
      case 3: b -= 3; break;
      case 4: a = a * 5 + 1; break;
      case 5: { int t = a; a = b; b = t; break; }
      case 6: a >>= 1; break;
      default: b = ~b;
    }
  out[g] = a ^ b;
}

/* Every builtin id of a 3-D grid with an odd extent. */
__kernel void ids(__global uint *out) {
  uint x = get_global_id(0), y = get_global_id(1), z = get_global_id(2);
  uint w = get_global_size(0), h = get_global_size(1), i = ((z * h + y) * w + x) * 6;
  out[i] = x | y << 10 | z << 20;
  out[i + 1] = get_local_id(0) | get_local_id(1) << 10 | get_local_id(2) << 20;
  out[i + 2] = get_group_id(0) | get_group_id(1) << 10 | get_group_id(2) << 20;
  out[i + 3] = get_local_size(0) | get_local_size(1) << 10 | get_local_size(2) << 20;
  out[i + 4] = get_num_groups(0) | get_num_groups(1) << 10 | get_num_groups(2) << 20;
  out[i + 5] = w | h << 10 | (uint)get_global_size(2) << 20;
}

__kernel void mixed_arguments(__global long *out, char a, short b, int c, long d, float e, double f, uchar g, int4 h) {
  out[0] = a;
  out[1] = b;
  out[2] = c;
  out[3] = d;
  out[4] = (long)e;
  out[5] = (long)f;
  out[6] = g;
  out[7] = h.x + 10 * h.y + 100 * h.z + 1000 * h.w;
}

__kernel void dynamic_lds(__global const int *x, __global int *y, __local int *scratch) {
  int l = get_local_id(0), n = get_local_size(0), g = get_global_id(0);
  scratch[l] = x[g];
  barrier(CLK_LOCAL_MEM_FENCE);
  y[g] = scratch[n - 1 - l];
}
