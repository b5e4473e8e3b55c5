/* Fully connected layers over compacted views, for small batches: y[image, n] = bias[n] + sum over k of a[image, k] · w[k, n],
   zeros of a skipped together with the rows of w that they would meet. w is K × N row-major, so that a row is read whole by
   lanes side by side: the forward pass passes the weights input-major (a = X), the data gradient as they lie (a = dY). What
   bounds such a layer is the traffic of the weights, and a row that meets zeros alone is not read.

   A work-group is four wavefronts on the same 128 columns n, two a lane, each on tiles_per_wave tiles of its own; their sums
   meet in the LDS in ascending order. Work-groups z add partial results, part[z, image, n], which sum_slices adds; a single
   one is y. bias (null: none) is added by z = 0. Grid (ceil(N / 128) · 256, ceil(tiles / (4 · tiles_per_wave))),
   work-group 256. */

#define PAIR(p, i) as_float(p.s##i)

/* One image: the view is of a as 1 × K, in ELLPACK-DIB tiles of 1 × 64 (docs/formats.md). Eight non-zeros come by one scalar
   load, and their rows of w are asked for before the first is used. The padding of the last eight has value 0 and column 0. */
__kernel __attribute__((reqd_work_group_size(256, 1, 1)))
void sparse_dense_row(__global const uint *restrict tiles, __global const float *restrict w,
                      __global const float *restrict bias, __global float *restrict part, uint K, uint N,
                      uint slot_bytes, uint tiles_per_wave) {
  __local float sums[4][128];
  uint l = get_local_id(0), lane = l & 63u, wave = __builtin_amdgcn_readfirstlane(l >> 6);
  uint z = get_group_id(1), n0 = get_group_id(0) * 128u;
  uint na = min(n0 + lane, N - 1u), nb = min(n0 + 64u + lane, N - 1u);
  uint first = (z * 4u + wave) * tiles_per_wave, end = min(first + tiles_per_wave, (K + 63u) / 64u);
  float a = 0.0f, b = 0.0f;
  for (uint t = first; t < end; t++) {
    __global const uint *slot = tiles + t * (slot_bytes / 4u);
    uint count = slot[16];
    __global const float *rows = w + t * 64u * N;
    for (uint i = 0; i < count; i += 8u) {
      uint16 p = *(__global const uint16 *)(slot + 32u + 2u * i);
      uint r0 = p.s1 * N, r1 = p.s3 * N, r2 = p.s5 * N, r3 = p.s7 * N, r4 = p.s9 * N, r5 = p.sb * N, r6 = p.sd * N, r7 = p.sf * N;
      float u0 = rows[r0 + na], v0 = rows[r0 + nb], u1 = rows[r1 + na], v1 = rows[r1 + nb];
      float u2 = rows[r2 + na], v2 = rows[r2 + nb], u3 = rows[r3 + na], v3 = rows[r3 + nb];
      float u4 = rows[r4 + na], v4 = rows[r4 + nb], u5 = rows[r5 + na], v5 = rows[r5 + nb];
      float u6 = rows[r6 + na], v6 = rows[r6 + nb], u7 = rows[r7 + na], v7 = rows[r7 + nb];
      a += PAIR(p, 0) * u0; b += PAIR(p, 0) * v0;
      a += PAIR(p, 2) * u1; b += PAIR(p, 2) * v1;
      a += PAIR(p, 4) * u2; b += PAIR(p, 4) * v2;
      a += PAIR(p, 6) * u3; b += PAIR(p, 6) * v3;
      a += PAIR(p, 8) * u4; b += PAIR(p, 8) * v4;
      a += PAIR(p, a) * u5; b += PAIR(p, a) * v5;
      a += PAIR(p, c) * u6; b += PAIR(p, c) * v6;
      a += PAIR(p, e) * u7; b += PAIR(p, e) * v7;
    }
  }
  sums[wave][lane] = a;
  sums[wave][64u + lane] = b;
  barrier(CLK_LOCAL_MEM_FENCE);
  if (l < 128u && n0 + l < N) {
    float sum = bias && z == 0u ? bias[n0 + l] : 0.0f;
    for (uint i = 0; i < 4u; i++) sum += sums[i][l];
    part[z * N + n0 + l] = sum;
  }
}

/* Two to eight images: the view is of a transposed, K × images, in tiles of 32 × images, so that a row of tiles lists the
   images in which input k is not zero; where there is none its row of w is not read. images ≤ 8: every row with a non-zero is
   one line. */
__kernel __attribute__((reqd_work_group_size(256, 1, 1)))
void sparse_dense_images(__global const uint *restrict tiles, __global const float *restrict w,
                         __global const float *restrict bias, __global float *restrict part, uint K, uint N, uint images,
                         uint slot_bytes, uint tiles_per_wave) {
  __local float sums[4][8][128];
  uint l = get_local_id(0), lane = l & 63u, wave = __builtin_amdgcn_readfirstlane(l >> 6);
  uint z = get_group_id(1), n0 = get_group_id(0) * 128u;
  uint na = min(n0 + lane, N - 1u), nb = min(n0 + 64u + lane, N - 1u);
  uint first = (z * 4u + wave) * tiles_per_wave, end = min(first + tiles_per_wave, (K + 31u) / 32u);
  float8 a = 0.0f, b = 0.0f;
  for (uint t = first; t < end; t++) {
    __global const uint *slot = tiles + t * (slot_bytes / 4u);
    __global const float *rows = w + t * 32u * N;
    for (uint r = 0; r < 32u; r++) {
      uint count = slot[16u + r];
      if (count == 0u) continue;
      uint16 p = *(__global const uint16 *)(slot + 48u + 16u * r);
      float u = rows[r * N + na], v = rows[r * N + nb];
      uint pairs[16];
      vstore16(p, 0, pairs);
#pragma unroll
      for (uint i = 0; i < 8u; i++) {
        if (i >= count) break;
        uint image = pairs[2u * i + 1u];
        float value = as_float(pairs[2u * i]);
        a[image] += value * u;
        b[image] += value * v;
      }
    }
  }
  for (uint image = 0; image < images; image++) {
    sums[wave][image][lane] = a[image];
    sums[wave][image][64u + lane] = b[image];
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  uint column = l & 127u;
  if (n0 + column < N)
    for (uint image = l >> 7; image < images; image += 2u) {
      float sum = bias && z == 0u ? bias[n0 + column] : 0.0f;
      for (uint i = 0; i < 4u; i++) sum += sums[i][image][column];
      part[(z * images + image) * N + n0 + column] = sum;
    }
}
