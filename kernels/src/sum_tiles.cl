/* Adds the partial results of blocks of a GEMM, `rows` × `columns` each, row by row, that lie one behind the other in x: of tile t =
   (first m, first n, first partial result, how many). Element (m, n) goes to row m of y and byte offset outputs[n] in it, all ones:
   nowhere. Ascending order of partial results. columns = 2^column_bits; grid (tiles · rows · columns), work-group 256. */
__kernel __attribute__((reqd_work_group_size(256, 1, 1)))
void sum_tiles(__global const float *restrict x, __global float *restrict y, __global const uint *restrict outputs,
               __global const uint4 *restrict tiles, uint rows, uint column_bits, uint row_stride) {
  uint groups = (rows << column_bits) >> 8, tile = get_group_id(0) / groups;
  uint e = (get_group_id(0) - tile * groups) * 256u + get_local_id(0), m = e >> column_bits;
  uint4 is = tiles[tile];
  uint at = outputs[is.y + e - (m << column_bits)], step = rows << column_bits, n = is.w;
  if (at == 0xffffffffu) return;
  __global const float *from = x + is.z * step + e;
  float sum = 0.0f, v[4];
  for (; n >= 4u; n -= 4u, from += 4u * step) { /* four loads leave before the first is waited for */
    for (uint j = 0; j < 4u; j++) v[j] = from[j * step];
    for (uint j = 0; j < 4u; j++) sum += v[j];
  }
  for (; n != 0u; n--, from += step) sum += *from;
  y[(is.x + m) * row_stride + (at >> 2)] = sum;
}
