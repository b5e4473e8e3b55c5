/* Sums of the partial results of sparse_block_conv. */

/* y = bias + partial results of blocks of outputs: a partial result is [quads][64 filters][4], quads at most 25; an output in column q of
   row p of a block of `rows` x `width` is element p · pitch + q + shift of its filter. blocks: 4 dwords a block: its first partial
   result, their number, its first output (elements from y), rows that are stored + first filter · 65536. Partial results are taken
   in ascending order. reciprocal = ceil(65536 / width). Work-group 256 does 16 filters of a block, grid blocks · 4 · 256. */
__kernel __attribute__((reqd_work_group_size(256, 1, 1)))
void sum_block_slices(__global const float4 *restrict x, __global float *restrict y, __global const float *restrict bias,
                      __global const uint4 *restrict blocks, uint quads, uint width, uint pitch, uint shift,
                      uint out_pixels, uint out_width, uint end, uint reciprocal) {
  __local float4 block[16][33]; /* one LDS instruction for a float4 */
  uint l = get_local_id(0), a = l & 15u, b = l >> 4, first = (get_group_id(0) & 3u) * 16u;
  uint4 is = blocks[get_group_id(0) >> 2];
  uint filter = (is.w >> 16) + first, step = quads * 64u;
  for (uint quad = b; quad < quads; quad += 16u) {
    __global const float4 *from = x + (is.x * quads + quad) * 64u + first + a;
    float4 sum = bias && filter + a < end ? bias[filter + a] : 0.0f, v[4];
    uint n = is.y;
    for (; n >= 4u; n -= 4u, from += 4u * step) { /* four loads leave before the first is waited for */
      for (uint j = 0; j < 4u; j++) v[j] = from[j * step];
      for (uint j = 0; j < 4u; j++) sum += v[j];
    }
    if (n & 2u) {
      for (uint j = 0; j < 2u; j++) v[j] = from[j * step];
      for (uint j = 0; j < 2u; j++) sum += v[j];
      from += 2u * step;
    }
    if (n & 1u) sum += *from;
    block[a][quad] = sum;
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  if (filter + b >= end) return;
  __global float *out = y + is.z + (first + b) * out_pixels;
  __local const float *sums = (__local const float *)block[b];
  uint outputs = (is.w & 0xffffu) * width;
  for (uint i = a; i < outputs; i += 16u) {
    uint p = i * reciprocal >> 16;
    out[i + p * (out_width - width)] = sums[i + p * (pitch - width) + shift];
  }
}
