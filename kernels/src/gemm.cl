/* Dense GEMM C[M×N] = A[M×K] · B[K×N] for any M, N, K: one wavefront computes 64 × 64 outputs, each work-item an 8 × 8
   block of registers, fed through the LDS in steps of 8 along K with 16-byte LDS reads (16 bytes bring four operands:
   16 multiply-adds per LDS instruction). The variants differ in which index of the operands is contiguous:
   nn: A[m·lda + k], B[k·ldb + n] · nt: B[n·ldb + k] · tn: A[k·lda + m]. C[m·ldc + n].
   Grid: (ceil(N / 64) · 64, ceil(M / 64)), work-group 64. Sums run over k in ascending order. */

#define DEPTH 8u

#define LOAD_A_N(i) /* k fastest: 8 lanes read 8 consecutive k of one row */                                       \
  { uint m = (l >> 3) + 8u * (i), k = l & 7u;                                                                      \
    ta[k][m] = (m0 + m < M && k0 + k < K) ? a[(m0 + m) * lda + k0 + k] : 0.0f; }
#define LOAD_A_T(i) /* m fastest: 64 lanes read 64 consecutive m of one k */                                       \
  { ta[i][l] = (m0 + l < M && k0 + (i) < K) ? a[(k0 + (i)) * lda + m0 + l] : 0.0f; }
#define LOAD_B_N(i)                                                                                                \
  { tb[i][l] = (n0 + l < N && k0 + (i) < K) ? b[(k0 + (i)) * ldb + n0 + l] : 0.0f; }
#define LOAD_B_T(i)                                                                                                \
  { uint n = (l >> 3) + 8u * (i), k = l & 7u;                                                                      \
    tb[k][n] = (n0 + n < N && k0 + k < K) ? b[(n0 + n) * ldb + k0 + k] : 0.0f; }

#define GEMM(NAME, LOAD_A, LOAD_B)                                                                                 \
  __kernel __attribute__((reqd_work_group_size(64, 1, 1)))                                                         \
  void NAME(__global const float *restrict a, __global const float *restrict b, __global float *restrict c,        \
            uint M, uint N, uint K, uint lda, uint ldb, uint ldc) {                                                \
    __local float ta[DEPTH][64 + 4] __attribute__((aligned(16))), tb[DEPTH][64 + 4] __attribute__((aligned(16)));  \
    uint l = get_local_id(0), x = l & 7u, y = l >> 3;                                                              \
    uint n0 = get_group_id(0) * 64u, m0 = get_group_id(1) * 64u;                                                   \
    float4 lo[8], hi[8];                                                                                           \
    _Pragma("unroll") for (uint i = 0; i < 8u; i++) lo[i] = hi[i] = (float4)(0.0f);                               \
    for (uint k0 = 0; k0 < K; k0 += DEPTH) {                                                                       \
      barrier(CLK_LOCAL_MEM_FENCE);                                                                                \
      _Pragma("unroll") for (uint i = 0; i < 8u; i++) LOAD_A(i)                                                    \
      _Pragma("unroll") for (uint i = 0; i < 8u; i++) LOAD_B(i)                                                    \
      barrier(CLK_LOCAL_MEM_FENCE);                                                                                \
      _Pragma("unroll") for (uint k = 0; k < DEPTH; k++) {                                                         \
        float4 u = *(__local float4 *)&ta[k][y * 4u], v = *(__local float4 *)&ta[k][32u + y * 4u];                 \
        float4 p = *(__local float4 *)&tb[k][x * 4u], q = *(__local float4 *)&tb[k][32u + x * 4u];                 \
        lo[0] += u.x * p; lo[1] += u.y * p; lo[2] += u.z * p; lo[3] += u.w * p;                                    \
        lo[4] += v.x * p; lo[5] += v.y * p; lo[6] += v.z * p; lo[7] += v.w * p;                                    \
        hi[0] += u.x * q; hi[1] += u.y * q; hi[2] += u.z * q; hi[3] += u.w * q;                                    \
        hi[4] += v.x * q; hi[5] += v.y * q; hi[6] += v.z * q; hi[7] += v.w * q;                                    \
      }                                                                                                            \
    }                                                                                                              \
    _Pragma("unroll") for (uint i = 0; i < 8u; i++) {                                                              \
      uint m = m0 + y * 4u + (i & 3u) + (i >> 2) * 32u, n = n0 + x * 4u;                                           \
      if (m < M) {                                                                                                 \
        __global float *row = c + m * ldc + n;                                                                     \
        if (n < N) row[0] = lo[i].x;                                                                               \
        if (n + 1u < N) row[1] = lo[i].y;                                                                          \
        if (n + 2u < N) row[2] = lo[i].z;                                                                          \
        if (n + 3u < N) row[3] = lo[i].w;                                                                          \
        if (n + 32u < N) row[32] = hi[i].x;                                                                        \
        if (n + 33u < N) row[33] = hi[i].y;                                                                        \
        if (n + 34u < N) row[34] = hi[i].z;                                                                        \
        if (n + 35u < N) row[35] = hi[i].w;                                                                        \
      }                                                                                                            \
    }                                                                                                              \
  }

GEMM(gemm_nn, LOAD_A_N, LOAD_B_N)
GEMM(gemm_nt, LOAD_A_N, LOAD_B_T)
GEMM(gemm_tn, LOAD_A_T, LOAD_B_N)
