/* Sparse GEMM over ELLPACK-DIB tiles (docs/formats.md), plain version: C[M×N] = A · B where the view holds Aᵀ (K × M)
   in 32 × 32 tiles: row k, column m. A wavefront owns 64 columns n of C (lane = n) and 32 rows m, whose sums live in the
   LDS because a non-zero picks its row at run time. C element (m, n) at m · c_row_stride + n · c_column_stride
   (elements). path: docs/formats.md, null for all sparse; path 2 reads dense, whose element (k, m) lies at
   k · dense_row_stride + m · dense_column_stride.
   Grid: (ceil(N / 64) · 64, ceil(M / 32)), work-group 64. Per output, k ascends; one rounding per multiply, one per add. */
__kernel __attribute__((reqd_work_group_size(64, 1, 1)))
void sparse_gemm_lds(__global const uint *restrict tiles, __global const float *restrict b, __global float *restrict c,
                     __global const uint *restrict path, __global const float *restrict dense,
                     __global const float *restrict bias, uint M, uint N, uint K, uint ldb, uint c_row_stride,
                     uint c_column_stride, uint slot_bytes, uint dense_row_stride, uint dense_column_stride) {
  __local float acc[32][64];
  uint l = get_local_id(0), n = get_group_id(0) * 64u + l, mt = get_group_id(1), tiles_across = (M + 31u) / 32u;
  uint column = min(n, N - 1u), m0 = mt * 32u, here = min(32u, M - m0);
  float start = bias ? bias[column] : 0.0f;
  for (uint m = 0; m < 32u; m++) acc[m][l] = start;
  for (uint k0 = 0, kt = 0; k0 < K; k0 += 32u, kt++) {
    uint tile = kt * tiles_across + mt, how = path ? path[tile] : 1u, rows = min(32u, K - k0);
    if (how == 1u) {
      __global const uint *slot = tiles + tile * (slot_bytes / 4u);
      uint pitch = slot[0];
      for (uint r = 0; r < rows; r++) {
        uint count = slot[16u + r];
        if (count == 0u) continue;
        float v = b[(k0 + r) * ldb + column];
        __global const uint *pair = slot + 48u + r * pitch * 2u;
        for (uint i = 0; i < count; i++) acc[pair[2u * i + 1u]][l] += as_float(pair[2u * i]) * v;
      }
    } else if (how == 2u) {
      for (uint r = 0; r < rows; r++) {
        float v = b[(k0 + r) * ldb + column];
        for (uint m = 0; m < here; m++)
          acc[m][l] += dense[(k0 + r) * dense_row_stride + (m0 + m) * dense_column_stride] * v;
      }
    }
  }
  if (n < N)
    for (uint m = 0; m < here; m++) c[(m0 + m) * c_row_stride + n * c_column_stride] = acc[m][l];
}

/* The same over the alternative formats (docs/formats.md): A transposed in 32 × 32 tiles, one wavefront per 64 columns n and
   32 rows m, sums in the LDS, grid and C as above. No path table. */

#define SPARSE_GEMM(NAME, TILE)                                                                                    \
  __kernel __attribute__((reqd_work_group_size(64, 1, 1)))                                                         \
  void NAME(__global const uint *restrict tiles, __global const float *restrict b, __global float *restrict c,     \
            __global const float *restrict bias, uint M, uint N, uint K, uint ldb, uint c_row_stride,              \
            uint c_column_stride, uint slot_bytes) {                                                               \
    __local float acc[32][64];                                                                                     \
    uint l = get_local_id(0), n = get_group_id(0) * 64u + l, mt = get_group_id(1), tiles_across = (M + 31u) / 32u; \
    uint column = min(n, N - 1u), m0 = mt * 32u, here = min(32u, M - m0);                                          \
    float start = bias ? bias[column] : 0.0f;                                                                      \
    for (uint m = 0; m < 32u; m++) acc[m][l] = start;                                                              \
    for (uint k0 = 0, kt = 0; k0 < K; k0 += 32u, kt++) {                                                           \
      __global const uint *slot = tiles + (kt * tiles_across + mt) * (slot_bytes / 4u);                            \
      uint rows = min(32u, K - k0);                                                                                \
      TILE                                                                                                         \
    }                                                                                                              \
    if (n < N)                                                                                                     \
      for (uint m = 0; m < here; m++) c[(m0 + m) * c_row_stride + n * c_column_stride] = acc[m][l];                \
  }

/* 33 row pointers in 48 words, then values, then 16-bit columns. */
#define CSR_TILE                                                                                                   \
  uint count = slot[32];                                                                                           \
  __global const ushort *columns = (__global const ushort *)(slot + 48u + ((count + 15u) & ~15u));                 \
  for (uint r = 0; r < rows; r++) {                                                                                \
    uint first = slot[r], last = slot[r + 1u];                                                                     \
    if (first == last) continue;                                                                                   \
    float v = b[(k0 + r) * ldb + column];                                                                          \
    for (uint i = first; i < last; i++) acc[columns[i]][l] += as_float(slot[48u + i]) * v;                         \
  }

/* 33 row starts in 48 words, 32 words of bitmap, then values. */
#define BITMAP_TILE                                                                                                \
  for (uint r = 0; r < rows; r++) {                                                                                \
    uint bits = slot[48u + r];                                                                                     \
    if (bits == 0u) continue;                                                                                      \
    __global const uint *value = slot + 80u + slot[r];                                                             \
    float v = b[(k0 + r) * ldb + column];                                                                          \
    for (; bits != 0u; bits &= bits - 1u) acc[31u - clz(bits & (0u - bits))][l] += as_float(*value++) * v;         \
  }

/* For every row of 32 a mask, then its values: a row is where the one before it ends. */
#define ZVC_TILE                                                                                                   \
  for (uint r = 0; r < rows; r++) {                                                                                \
    uint bits = *slot++;                                                                                           \
    if (bits == 0u) continue;                                                                                      \
    float v = b[(k0 + r) * ldb + column];                                                                          \
    for (; bits != 0u; bits &= bits - 1u) acc[31u - clz(bits & (0u - bits))][l] += as_float(*slot++) * v;          \
  }

SPARSE_GEMM(sparse_gemm_csr, CSR_TILE)
SPARSE_GEMM(sparse_gemm_bitmap, BITMAP_TILE)
SPARSE_GEMM(sparse_gemm_zvc, ZVC_TILE)
