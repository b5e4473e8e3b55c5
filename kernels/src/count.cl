/* Software profiling of sparsity: reads a whole tensor and counts zeros. A zero is a magnitude of zero bits. */

__attribute__((always_inline)) static uint is_zero(float v) { return (as_uint(v) << 1) == 0u; }

/* counts[g] = zeros among elements [1024 g, 1024 g + 1024). Work-group 256, grid roundup(ceil(n / 4), 256). */
__kernel __attribute__((reqd_work_group_size(256, 1, 1)))
void zero_count(__global const float *restrict x, __global uint *restrict counts, uint n) {
  __local uint partial[256];
  uint l = get_local_id(0), i = (get_group_id(0) * 256u + l) * 4u, zeros = 0;
  if (i + 4u <= n) {
    float4 v = vload4(0, x + i);
    zeros = is_zero(v.x) + is_zero(v.y) + is_zero(v.z) + is_zero(v.w);
  } else {
    for (; i < n; i++) zeros += is_zero(x[i]);
  }
  partial[l] = zeros;
  for (uint s = 128; s > 0; s >>= 1) {
    barrier(CLK_LOCAL_MEM_FENCE);
    if (l < s) partial[l] += partial[l + s];
  }
  if (l == 0) counts[get_group_id(0)] = partial[0];
}

/* Non-zeros per tile of a strided matrix (strides in elements): nonzeros[tile], tiles row-major over the grid of
   tiles. Grid: 64 work-items a tile, work-group 64. */
__kernel __attribute__((reqd_work_group_size(64, 1, 1)))
void tile_nonzeros(__global const float *restrict x, __global uint *restrict nonzeros, uint rows, uint columns,
                   uint row_stride, uint column_stride, uint tile_rows, uint tile_columns, uint tiles_across) {
  __local uint partial[64];
  uint l = get_local_id(0), tile = get_group_id(0);
  uint r0 = tile / tiles_across * tile_rows, c0 = tile % tiles_across * tile_columns;
  uint elements = tile_rows * tile_columns, count = 0;
  for (uint e = l; e < elements; e += 64u) {
    uint r = r0 + e / tile_columns, c = c0 + e % tile_columns;
    if (r < rows && c < columns) count += 1u - is_zero(x[r * row_stride + c * column_stride]);
  }
  partial[l] = count;
  for (uint s = 32; s > 0; s >>= 1) {
    barrier(CLK_LOCAL_MEM_FENCE);
    if (l < s) partial[l] += partial[l + s];
  }
  if (l == 0) nonzeros[tile] = partial[0];
}
