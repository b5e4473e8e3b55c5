/* Fully connected layers for small batches, where a GEMM's blocks would be mostly empty: every weight is read once and meets
   up to four images in registers. W is outputs × inputs row-major, X images × inputs, Y images × outputs. Larger
   batches and weight gradients are a gemm_scalar. */

/* y[image, o] = bias[o] + sum over i of w[o, i] · x[image, i]; bias may be null. One wavefront an output and block of four
   images: lanes stride through the inputs four at a time, then a tree over the lanes. Work-group 256 = four outputs,
   grid (ceil(outputs / 4) · 256, ceil(images / 4)). */
__kernel __attribute__((reqd_work_group_size(256, 1, 1)))
void dense_forward(__global const float *restrict x, __global const float *restrict w, __global const float *restrict bias,
                   __global float *restrict y, uint images, uint inputs, uint outputs) {
  __local float partial[4][256];
  uint l = get_local_id(0), lane = l & 63u, output = get_group_id(0) * 4u + (l >> 6), o = min(output, outputs - 1u);
  uint image0 = get_group_id(1) * 4u, count = min(images - image0, 4u);
  __global const float *row = w + o * inputs;
  __global const float *a = x + image0 * inputs;
  /* images beyond the last read the last again; what they sum is not stored */
  uint b = min(1u, count - 1u) * inputs, c = min(2u, count - 1u) * inputs, d = min(3u, count - 1u) * inputs;
  float4 s0 = 0.0f, s1 = 0.0f, s2 = 0.0f, s3 = 0.0f;
  uint i = lane * 4u;
  for (; i + 4u <= inputs; i += 256u) {
    float4 v = vload4(0, row + i);
    s0 += v * vload4(0, a + i);
    if (count > 1u) s1 += v * vload4(0, a + b + i);
    if (count > 2u) s2 += v * vload4(0, a + c + i);
    if (count > 3u) s3 += v * vload4(0, a + d + i);
  }
  float t0 = s0.x + s0.y + s0.z + s0.w, t1 = s1.x + s1.y + s1.z + s1.w;
  float t2 = s2.x + s2.y + s2.z + s2.w, t3 = s3.x + s3.y + s3.z + s3.w;
  for (; i < inputs; i++) { /* the lane that meets the end with fewer than four left */
    float v = row[i];
    t0 += v * a[i];
    t1 += v * a[b + i];
    t2 += v * a[c + i];
    t3 += v * a[d + i];
  }
  partial[0][l] = t0;
  partial[1][l] = t1;
  partial[2][l] = t2;
  partial[3][l] = t3;
  for (uint s = 32; s > 0; s >>= 1) {
    barrier(CLK_LOCAL_MEM_FENCE);
    if (lane < s) {
      partial[0][l] += partial[0][l + s];
      partial[1][l] += partial[1][l + s];
      partial[2][l] += partial[2][l + s];
      partial[3][l] += partial[3][l + s];
    }
  }
  if (lane < count && output < outputs)
    y[(image0 + lane) * outputs + o] = partial[lane][l & ~63u] + (bias ? bias[o] : 0.0f);
}

/* part[z, image, n] = bias[n] + sum over the k of slice z of a[image, k] · w[k, n]: Y when there is one slice, else sum_slices adds
   them. w is K × N row-major: the weights as they lie for the data gradient (a = dY), input-major for the forward pass
   (a = X). A work-group is four wavefronts on the same 128 columns n, two a lane, and up to four images; each wavefront takes
   rows_per_wave rows, eight of which it asks for before it uses the first, and their sums meet in the LDS in ascending
   order. bias (null: none) is added by z = 0. Grid (ceil(N / 128) · 256, ceil(images / 4), ceil(K / (4 · rows_per_wave))),
   work-group 256. */
#define ROWS 8u
#define ADD(image)                                                                                                     \
  if (count > image##u) {                                                                                              \
    __global const float *v = a + image##u * K + k;                                                                    \
    float x0 = v[0], x1 = v[1], x2 = v[2], x3 = v[3], x4 = v[4], x5 = v[5], x6 = v[6], x7 = v[7];                      \
    s##image += x0 * p0; t##image += x0 * q0; s##image += x1 * p1; t##image += x1 * q1;                                \
    s##image += x2 * p2; t##image += x2 * q2; s##image += x3 * p3; t##image += x3 * q3;                                \
    s##image += x4 * p4; t##image += x4 * q4; s##image += x5 * p5; t##image += x5 * q5;                                \
    s##image += x6 * p6; t##image += x6 * q6; s##image += x7 * p7; t##image += x7 * q7;                                \
  }

__kernel __attribute__((reqd_work_group_size(256, 1, 1)))
void dense_rows(__global const float *restrict a, __global const float *restrict w, __global const float *restrict bias,
                __global float *restrict part, uint images, uint K, uint N, uint rows_per_wave) {
  __local float sums[4][4][128];
  uint l = get_local_id(0), lane = l & 63u, wave = __builtin_amdgcn_readfirstlane(l >> 6);
  uint n0 = get_group_id(0) * 128u, image0 = get_group_id(1) * 4u, z = get_group_id(2), count = min(images - image0, 4u);
  uint n = min(n0 + lane, N - 1u), m = min(n0 + 64u + lane, N - 1u);
  uint k = min((z * 4u + wave) * rows_per_wave, K), end = min(k + rows_per_wave, K);
  float s0 = 0.0f, t0 = 0.0f, s1 = 0.0f, t1 = 0.0f, s2 = 0.0f, t2 = 0.0f, s3 = 0.0f, t3 = 0.0f;
  a += image0 * K;
  for (; k + ROWS <= end; k += ROWS) {
    __global const float *r0 = w + k * N, *r1 = r0 + N, *r2 = r1 + N, *r3 = r2 + N, *r4 = r3 + N, *r5 = r4 + N, *r6 = r5 + N,
                         *r7 = r6 + N;
    float p0 = r0[n], q0 = r0[m], p1 = r1[n], q1 = r1[m], p2 = r2[n], q2 = r2[m], p3 = r3[n], q3 = r3[m];
    float p4 = r4[n], q4 = r4[m], p5 = r5[n], q5 = r5[m], p6 = r6[n], q6 = r6[m], p7 = r7[n], q7 = r7[m];
    ADD(0)
    ADD(1)
    ADD(2)
    ADD(3)
  }
  uint b = min(1u, count - 1u) * K, c = min(2u, count - 1u) * K, d = min(3u, count - 1u) * K;
  for (; k < end; k++) { /* fewer than eight are left; images beyond the last sum the last again */
    float p = w[k * N + n], q = w[k * N + m];
    s0 += a[k] * p; t0 += a[k] * q;
    s1 += a[b + k] * p; t1 += a[b + k] * q;
    s2 += a[c + k] * p; t2 += a[c + k] * q;
    s3 += a[d + k] * p; t3 += a[d + k] * q;
  }
  sums[wave][0][lane] = s0;
  sums[wave][0][64u + lane] = t0;
  sums[wave][1][lane] = s1;
  sums[wave][1][64u + lane] = t1;
  sums[wave][2][lane] = s2;
  sums[wave][2][64u + lane] = t2;
  sums[wave][3][lane] = s3;
  sums[wave][3][64u + lane] = t3;
  barrier(CLK_LOCAL_MEM_FENCE);
  uint column = l & 127u;
  if (n0 + column < N)
    for (uint image = l >> 7; image < count; image += 2u) {
      float sum = bias && z == 0u ? bias[n0 + column] : 0.0f;
      for (uint i = 0; i < 4u; i++) sum += sums[i][image][column];
      part[(z * images + image0 + image) * N + n0 + column] = sum;
    }
}

/* dw[o, i] = sum over images of dy[image, o] · x[image, i]. Lanes along the inputs, four outputs a work-item: work-group 64,
   grid (roundup(inputs, 64), ceil(outputs / 4)). For few outputs, where gemm_scalar does not apply. */
__kernel __attribute__((reqd_work_group_size(64, 1, 1)))
void dense_weight_gradient(__global const float *restrict dy, __global const float *restrict x,
                           __global float *restrict dw, uint images, uint inputs, uint outputs) {
  uint i = get_group_id(0) * 64u + get_local_id(0), o = get_group_id(1) * 4u;
  if (i >= inputs) return;
  uint count = min(outputs - o, 4u), b = min(1u, count - 1u), c = min(2u, count - 1u), d = min(3u, count - 1u);
  float t0 = 0.0f, t1 = 0.0f, t2 = 0.0f, t3 = 0.0f;
  __global const float *g = dy + o;
  for (uint image = 0; image < images; image++, g += outputs) {
    float v = x[image * inputs + i];
    t0 += v * g[0];
    t1 += v * g[b];
    t2 += v * g[c];
    t3 += v * g[d];
  }
  __global float *out = dw + o * inputs + i;
  out[0] = t0;
  if (count > 1u) out[inputs] = t1;
  if (count > 2u) out[2u * inputs] = t2;
  if (count > 3u) out[3u * inputs] = t3;
}
