/* Convolution lowering. X is NCHW; columns of the lowered matrix are output pixels, j = (image · P + p) · Q + q, rows
   are filter taps, i = (c · R + r) · S + s with c within one group of channels. channel0 is the group's first channel.
   Taps that fall outside X are 0. Divisions cost some 20 vector instructions each, so every work-item does its
   divisions once, for many elements. */

#define GEOMETRY_ARGS                                                                                              \
  uint channels, uint height, uint width, uint out_height, uint out_width, uint filter_height, uint filter_width, \
      uint stride_h, uint stride_w, uint pad_h, uint pad_w, uint dilation_h, uint dilation_w

/* col[i · columns + j]. A work-item does all taps of one channel at one pixel: work-group 256 along j,
   grid (roundup(columns, 256), group_channels). */
__kernel __attribute__((reqd_work_group_size(256, 1, 1)))
void im2col(__global const float *restrict x, __global float *restrict col, uint columns, uint channel0,
            GEOMETRY_ARGS) {
  uint j = get_group_id(0) * 256u + get_local_id(0), c = get_group_id(1);
  if (j >= columns) return;
  uint u = j / out_width, q = j - u * out_width, image = u / out_height, p = u - image * out_height;
  uint top = p * stride_h - pad_h, left = q * stride_w - pad_w; /* may wrap below 0: then ≥ height or width */
  __global const float *plane = x + (image * channels + channel0 + c) * height * width;
  __global float *out = col + c * filter_height * filter_width * columns + j;
  for (uint r = 0; r < filter_height; r++) {
    uint h = top + r * dilation_h;
    for (uint s = 0; s < filter_width; s++) {
      uint w = left + s * dilation_w;
      float v = 0.0f;
      if (h < height && w < width) v = plane[h * width + w];
      *out = v;
      out += columns;
    }
  }
}

/* The transpose: col[j · taps + i], taps = group_channels · R · S. A work-item does one tap at 16 adjacent pixels:
   work-group 64 along i, grid (roundup(taps, 64), ceil(columns / 16)). */
__kernel __attribute__((reqd_work_group_size(64, 1, 1)))
void im2col_transposed(__global const float *restrict x, __global float *restrict col, uint taps, uint columns,
                       uint channel0, GEOMETRY_ARGS) {
  uint i = get_group_id(0) * 64u + get_local_id(0), j = get_group_id(1) * 16u, end = min(j + 16u, columns);
  if (i >= taps) return;
  uint t = i / filter_width, s = i - t * filter_width, c = t / filter_height, r = t - c * filter_height;
  uint u = j / out_width, q = j - u * out_width, image = u / out_height, p = u - image * out_height;
  uint down = r * dilation_h - pad_h, right = s * dilation_w - pad_w;
  uint base = (image * channels + channel0 + c) * height * width;
  __global float *out = col + j * taps + i;
  for (; j < end; j++) {
    uint h = p * stride_h + down, w = q * stride_w + right;
    float v = 0.0f;
    if (h < height && w < width) v = x[base + h * width + w];
    *out = v;
    out += taps;
    if (++q == out_width) {
      q = 0;
      if (++p == out_height) {
        p = 0;
        base += channels * height * width;
      }
    }
  }
}

/* The adjoint of im2col, as a gather: every element of dX adds its taps in ascending (r, s) order, so that the sum
   is deterministic and needs no atomics. dcol element (i, j) lies at i · row_stride + j · column_stride (elements).
   One work-item per pixel of X and channel of the group: work-group 256, grid (roundup(images · H · W, 256),
   group_channels). */
__kernel __attribute__((reqd_work_group_size(256, 1, 1)))
void col2im(__global const float *restrict dcol, __global float *restrict dx, uint pixels, uint row_stride,
            uint column_stride, uint channel0, GEOMETRY_ARGS) {
  uint e = get_group_id(0) * 256u + get_local_id(0), c = get_group_id(1);
  if (e >= pixels) return;
  uint t = e / width, w = e - t * width, image = t / height, h = t - image * height;
  uint first = image * out_height * out_width, tap = c * filter_height * filter_width * row_stride;
  float sum = 0.0f;
  for (uint r = 0; r < filter_height; r++) {
    uint y = h + pad_h - r * dilation_h, p = y; /* below 0 it wraps, and is beyond out_height */
    bool row = (int)y >= 0;
    if (stride_h != 1u) {
      p = y / stride_h;
      row = row && p * stride_h == y;
    }
    row = row && p < out_height;
    for (uint s = 0; s < filter_width; s++) {
      uint z = w + pad_w - s * dilation_w, q = z;
      bool hit = row && (int)z >= 0;
      if (stride_w != 1u) {
        q = z / stride_w;
        hit = hit && q * stride_w == z;
      }
      if (hit && q < out_width) sum += dcol[tap + (first + p * out_width + q) * column_stride];
      tap += row_stride;
    }
  }
  dx[((image * channels + channel0 + c) * height + h) * width + w] = sum;
}

/* A copy of X with a border of zeros: out is N × channels × out_height × out_width (here the padded extents). On it,
   im2col is a sum of an offset of the tap and an offset of the pixel, which is what gather GEMMs read.
   A work-item does four elements, so that it divides once. Work-group 256, grid (ceil(out_width · out_height / 1024) · 256,
   channels, images). */
__kernel __attribute__((reqd_work_group_size(256, 1, 1)))
void pad_border(__global const float *restrict x, __global float *restrict out, uint channels, uint height, uint width,
                uint out_height, uint out_width, uint pad_h, uint pad_w) {
  uint e = get_group_id(0) * 1024u + get_local_id(0), plane = get_group_id(2) * channels + get_group_id(1);
  uint size = out_height * out_width, down = 256u / out_width, right = 256u - down * out_width;
  uint p = e / out_width, q = e - p * out_width;
  x += plane * height * width;
  out += plane * size + e;
  if (size - get_group_id(0) * 1024u <= 256u) { /* a small plane, or the end of one */
    uint h = p - pad_h, w = q - pad_w;
    bool within = h < height && w < width;
    float one = x[within ? mul24(h, width) + w : 0u];
    if (e < size) out[0] = within ? one : 0.0f;
    return;
  }
  float v[4];
  bool inside[4];
  /* Lanes in the border or beyond the plane read its first element. */
  for (uint i = 0; i < 4u; i++) {
    uint h = p - pad_h, w = q - pad_w;
    inside[i] = h < height && w < width;
    v[i] = x[inside[i] ? mul24(h, width) + w : 0u];
    p += down;
    q += right;
    if (q >= out_width) {
      q -= out_width;
      p++;
    }
  }
  for (uint i = 0; i < 4u; i++)
    if (e + 256u * i < size) out[256u * i] = inside[i] ? v[i] : 0.0f;
}
