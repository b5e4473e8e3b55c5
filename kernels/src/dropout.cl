/* Dropout with a counter-based generator: whether element i is kept depends on (seed, i) alone, so the backward pass needs
   no mask, and results do not depend on how work-items are scheduled. The generator is Philox4x32-10 (Salmon et al., "Parallel
   random numbers: as easy as 1, 2, 3", SC 2011): counter (i div 4, 0, 0, 0), key (seed_low, seed_high), output word i mod 4.
   Element i is kept where its word ≥ threshold = round(probability · 2³²), and scaled by 1 / (1 − probability).
   Work-group 256, four elements a work-item: grid roundup(ceil(n / 4), 256). */

__attribute__((always_inline)) static uint4 philox(uint4 counter, uint2 key) {
#pragma unroll
  for (uint round = 0; round < 10u; round++) {
    uint high0 = mul_hi(0xD2511F53u, counter.x), low0 = 0xD2511F53u * counter.x;
    uint high1 = mul_hi(0xCD9E8D57u, counter.z), low1 = 0xCD9E8D57u * counter.z;
    counter = (uint4)(high1 ^ counter.y ^ key.x, low1, high0 ^ counter.w ^ key.y, low0);
    key += (uint2)(0x9E3779B9u, 0xBB67AE85u);
  }
  return counter;
}

/* y = x · scale where kept, else 0; the same kernel takes dy to dx. */
__kernel __attribute__((reqd_work_group_size(256, 1, 1)))
void dropout(__global const float *restrict x, __global float *restrict y, uint n, uint seed_low, uint seed_high,
             uint threshold, float scale) {
  uint item = get_group_id(0) * 256u + get_local_id(0), i = item * 4u;
  if (i >= n) return;
  uint4 word = philox((uint4)(item, 0u, 0u, 0u), (uint2)(seed_low, seed_high));
  if (i + 4u <= n) {
    float4 v = vload4(0, x + i);
    vstore4(word >= threshold ? v * scale : (float4)(0.0f), 0, y + i);
  } else {
    uint rest[4] = {word.x, word.y, word.z, word.w};
#pragma unroll
    for (uint k = 0; k < 3u; k++)
      if (i + k < n) y[i + k] = rest[k] >= threshold ? x[i + k] * scale : 0.0f;
  }
}

/* words[4 · i … 4 · i + 3] = the generator's output for counters[4 · i …] and one key: for tests against the published vectors. */
__kernel __attribute__((reqd_work_group_size(64, 1, 1)))
void philox_words(__global const uint *restrict counters, __global uint *restrict words, uint n, uint key_low,
                  uint key_high) {
  uint i = get_group_id(0) * 64u + get_local_id(0);
  if (i < n) vstore4(philox(vload4(i, counters), (uint2)(key_low, key_high)), i, words);
}
