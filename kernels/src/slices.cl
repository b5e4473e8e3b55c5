/* y[i] = sum over s of x[s · stride + i] for many partial results of few elements: sum_slices has a work-item add all of one element, one
   after the other, and too few of them to hide what the loads take. Work-group 256 does 16 elements, whose slices are shared out among 16
   work-items in turn of ceil(slices / 16); sums of a share ascend, and shares are added in ascending order. Grid
   ceil(n / 16) · 256. */
__kernel __attribute__((reqd_work_group_size(256, 1, 1)))
void sum_slices_deep(__global const float *restrict x, __global float *restrict y, uint n, uint slices, uint stride) {
  __local float shares[16][17];
  uint l = get_local_id(0), a = l & 15u, b = l >> 4, i = get_group_id(0) * 16u + a;
  uint share = (slices + 15u) >> 4, s = b * share, end = min(s + share, slices);
  /* Lanes beyond the end read the last element; nobody stores what they add. */
  x += min(i, n - 1u);
  float sum = 0.0f;
  for (; s + 4u <= end; s += 4u) { /* four loads leave before the first is waited for */
    float v[4];
    for (uint j = 0; j < 4u; j++) v[j] = x[(s + j) * stride];
    for (uint j = 0; j < 4u; j++) sum += v[j];
  }
  for (; s < end; s++) sum += x[s * stride];
  shares[b][a] = sum;
  barrier(CLK_LOCAL_MEM_FENCE);
  if (b != 0u || i >= n) return;
  sum = shares[0][a];
  for (uint j = 1; j < 16u; j++) sum += shares[j][a];
  y[i] = sum;
}
