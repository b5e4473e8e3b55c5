/* Fully connected layers for small batches, where a GEMM's blocks would be mostly empty: every weight is read once and meets
   up to four images in registers. W is outputs × inputs row-major, X images × inputs, Y images × outputs. Larger
   batches go through gemm_nt and gemm_nn; the weight gradient is a gemm_scalar of any batch. */

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

/* part[z, image, i] = sum over the outputs o of slice z of w[o, i] · dy[image, o]: dX when there is one slice, else sum_slices
   adds them. Lanes along the inputs; a work-item keeps four images. Work-group 64, grid (roundup(inputs, 64),
   ceil(images / 4), slices), outputs_per_slice · slices ≥ outputs. */
__kernel __attribute__((reqd_work_group_size(64, 1, 1)))
void dense_data_gradient(__global const float *restrict dy, __global const float *restrict w,
                         __global float *restrict part, uint images, uint inputs, uint outputs,
                         uint outputs_per_slice) {
  uint i = get_group_id(0) * 64u + get_local_id(0), image0 = get_group_id(1) * 4u, z = get_group_id(2);
  if (i >= inputs) return;
  uint count = min(images - image0, 4u), first = z * outputs_per_slice, end = min(first + outputs_per_slice, outputs);
  __global const float *a = dy + image0 * outputs;
  uint b = min(1u, count - 1u) * outputs, c = min(2u, count - 1u) * outputs, d = min(3u, count - 1u) * outputs;
  float t0 = 0.0f, t1 = 0.0f, t2 = 0.0f, t3 = 0.0f;
#pragma unroll 4
  for (uint o = first; o < end; o++) {
    float v = w[o * inputs + i];
    t0 += v * a[o];
    t1 += v * a[b + o];
    t2 += v * a[c + o];
    t3 += v * a[d + o];
  }
  __global float *out = part + (z * images + image0) * inputs + i;
  out[0] = t0;
  if (count > 1u) out[inputs] = t1;
  if (count > 2u) out[2u * inputs] = t2;
  if (count > 3u) out[3u * inputs] = t3;
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
