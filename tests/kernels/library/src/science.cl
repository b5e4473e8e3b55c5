/* Numerical kernels: FFT, n-body, stencils, random numbers. */

/* 256-point complex FFT, radix 2, decimation in time, one work-group of 128 a transform. */
__kernel __attribute__((reqd_work_group_size(128, 1, 1)))
void fft256(__global const float2 *x, __global float2 *y) {
  __local float2 a[256];
  uint l = get_local_id(0), base = get_group_id(0) * 256u;
  for (uint i = l; i < 256u; i += 128u) {
    uint r = 0;
    for (uint b = 0; b < 8u; b++) r |= ((i >> b) & 1u) << (7u - b);
    a[r] = x[base + i];
  }
  for (uint half_size = 1; half_size < 256u; half_size <<= 1) {
    barrier(CLK_LOCAL_MEM_FENCE);
    uint k = l & (half_size - 1u), i = ((l - k) << 1) + k, j = i + half_size;
    float angle = -3.14159265358979f * k / half_size;
    float c = cos(angle), s = sin(angle);
    float2 u = a[i], v = a[j], w = (float2)(v.x * c - v.y * s, v.x * s + v.y * c);
    a[i] = u + w;
    a[j] = u - w;
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  y[base + l] = a[l];
  y[base + l + 128u] = a[l + 128u];
}

__kernel void nbody(__global const float4 *body, __global float4 *force, int n) {
  int i = get_global_id(0);
  if (i >= n) return;
  float4 me = body[i];
  float3 sum = (float3)(0);
  for (int j = 0; j < n; j++) {
    float4 other = body[j];
    float3 d = other.xyz - me.xyz;
    float r = rsqrt(d.x * d.x + d.y * d.y + d.z * d.z + 0.01f);
    sum += d * (other.w * r * r * r);
  }
  force[i] = (float4)(sum, 0.0f);
}

__kernel void stencil5(__global const float *x, __global float *y, int height, int width) {
  int c = get_global_id(0), r = get_global_id(1);
  if (c >= width || r >= height) return;
  float v = 4.0f * x[r * width + c];
  if (c > 0) v -= x[r * width + c - 1];
  if (c + 1 < width) v -= x[r * width + c + 1];
  if (r > 0) v -= x[(r - 1) * width + c];
  if (r + 1 < height) v -= x[(r + 1) * width + c];
  y[r * width + c] = v;
}

/* 3-D grid, any extents. */
__kernel void stencil7(__global const double *x, __global double *y, int nx, int ny, int nz) {
  int i = get_global_id(0), j = get_global_id(1), k = get_global_id(2);
  if (i >= nx || j >= ny || k >= nz) return;
  int at = (k * ny + j) * nx + i;
  double v = -6.0 * x[at];
  v += i > 0 ? x[at - 1] : 0.0;
  v += i + 1 < nx ? x[at + 1] : 0.0;
  v += j > 0 ? x[at - nx] : 0.0;
  v += j + 1 < ny ? x[at + nx] : 0.0;
  v += k > 0 ? x[at - nx * ny] : 0.0;
  v += k + 1 < nz ? x[at + nx * ny] : 0.0;
  y[at] = v;
}

__kernel void life(__global const uchar *now, __global uchar *next, int height, int width) {
  int c = get_global_id(0), r = get_global_id(1);
  if (c >= width || r >= height) return;
  int n = 0;
  for (int i = -1; i <= 1; i++)
    for (int j = -1; j <= 1; j++)
      if (i || j) n += now[(r + i + height) % height * width + (c + j + width) % width];
  next[r * width + c] = n == 3 || (n == 2 && now[r * width + c]);
}

/* xorshift and a count of points in the quarter circle, in integers: exact. */
__kernel void monte_carlo(__global uint *hits, uint rounds) {
  uint g = get_global_id(0), s = g * 2654435761u + 12345u, n = 0;
  for (uint i = 0; i < rounds; i++) {
    s ^= s << 13; s ^= s >> 17; s ^= s << 5;
    uint x = s >> 17;
    s ^= s << 13; s ^= s >> 17; s ^= s << 5;
    uint y = s >> 17;
    n += x * x + y * y < (1u << 30);
  }
  hits[g] = n;
}

__kernel void mandelbrot(__global uint *steps, int width, int height, uint limit) {
  int c = get_global_id(0), r = get_global_id(1);
  if (c >= width || r >= height) return;
  /* fixed point, 24 fraction bits: the same on every machine */
  int x0 = (c * 3 << 24) / width - (2 << 24), y0 = (r * 2 << 24) / height - (1 << 24), x = 0, y = 0;
  uint n = 0;
  while (n < limit) {
    long xx = ((long)x * x) >> 24, yy = ((long)y * y) >> 24;
    if (xx + yy > (4L << 24)) break;
    int t = (int)(xx - yy) + x0;
    y = (int)(((long)x * y) >> 23) + y0;
    x = t;
    n++;
  }
  steps[r * width + c] = n;
}

/* Nearest of k centres in d dimensions. */
__kernel void kmeans_assign(__global const float *points, __global const float *centres, __global int *nearest, int n,
                            int k, int d) {
  int i = get_global_id(0);
  if (i >= n) return;
  float best = INFINITY;
  int at = 0;
  for (int c = 0; c < k; c++) {
    float sum = 0;
    for (int j = 0; j < d; j++) {
      float t = points[i * d + j] - centres[c * d + j];
      sum += t * t;
    }
    if (sum < best) { best = sum; at = c; }
  }
  nearest[i] = at;
}

__kernel void elementary(__global const float *x, __global float *out, int n) {
  int i = get_global_id(0);
  if (i >= n) return;
  out[i] = exp(x[i]);
  out[n + i] = log(x[i]);
  out[2 * n + i] = sin(x[i]);
  out[3 * n + i] = cos(x[i]);
  out[4 * n + i] = sqrt(x[i]);
  out[5 * n + i] = pow(x[i], 1.7f);
  out[6 * n + i] = atan2(x[i], 2.0f);
  out[7 * n + i] = fmod(x[i], 0.75f);
}
