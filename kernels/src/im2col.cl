/* Convolution lowering. X is NCHW; columns of the lowered matrix are output pixels, j = (image · P + p) · Q + q, rows
   are filter taps, i = (c · R + r) · S + s with c within one group of channels. channel0 is the group's first channel.
   Taps that fall outside X are 0. */


#define GEOMETRY_ARGS                                                                                              \
  uint channels, uint height, uint width, uint out_height, uint out_width, uint filter_height, uint filter_width, \
      uint stride_h, uint stride_w, uint pad_h, uint pad_w, uint dilation_h, uint dilation_w

/* col[i · columns + j], work-group 256 along j, grid (roundup(columns, 256), group_channels · R · S). */
__kernel __attribute__((reqd_work_group_size(256, 1, 1)))
void im2col(__global const float *restrict x, __global float *restrict col, uint columns, uint channel0,
            GEOMETRY_ARGS) {
  uint j = get_group_id(0) * 256u + get_local_id(0), i = get_group_id(1);
  if (j >= columns) return;
  uint s = i % filter_width, t = i / filter_width, r = t % filter_height, c = channel0 + t / filter_height;
  uint q = j % out_width, u = j / out_width, p = u % out_height, image = u / out_height;
  int h = (int)(p * stride_h + r * dilation_h) - (int)pad_h, w = (int)(q * stride_w + s * dilation_w) - (int)pad_w;
  float v = 0.0f;
  if (h >= 0 && h < (int)height && w >= 0 && w < (int)width)
    v = x[((image * channels + c) * height + (uint)h) * width + (uint)w];
  col[i * columns + j] = v;
}

/* The transpose: col[j · taps + i], taps = group_channels · R · S. Work-group 256 along i,
   grid (roundup(taps, 256), columns). */
__kernel __attribute__((reqd_work_group_size(256, 1, 1)))
void im2col_transposed(__global const float *restrict x, __global float *restrict col, uint taps, uint channel0,
                       GEOMETRY_ARGS) {
  uint i = get_group_id(0) * 256u + get_local_id(0), j = get_group_id(1);
  if (i >= taps) return;
  uint s = i % filter_width, t = i / filter_width, r = t % filter_height, c = channel0 + t / filter_height;
  uint q = j % out_width, u = j / out_width, p = u % out_height, image = u / out_height;
  int h = (int)(p * stride_h + r * dilation_h) - (int)pad_h, w = (int)(q * stride_w + s * dilation_w) - (int)pad_w;
  float v = 0.0f;
  if (h >= 0 && h < (int)height && w >= 0 && w < (int)width)
    v = x[((image * channels + c) * height + (uint)h) * width + (uint)w];
  col[j * taps + i] = v;
}

/* The adjoint of im2col, as a gather: every element of dX adds its taps in ascending (r, s) order, so that the sum
   is deterministic and needs no atomics. dcol element (i, j) lies at i · row_stride + j · column_stride (elements).
   One work-item per element of the group's dX: grid roundup(images · group_channels · H · W, 256), work-group 256. */
__kernel __attribute__((reqd_work_group_size(256, 1, 1)))
void col2im(__global const float *restrict dcol, __global float *restrict dx, uint elements, uint group_channels,
            uint row_stride, uint column_stride, uint channel0, GEOMETRY_ARGS) {
  uint e = get_group_id(0) * 256u + get_local_id(0);
  if (e >= elements) return;
  uint w = e % width, t = e / width, h = t % height;
  t /= height;
  uint c = t % group_channels, image = t / group_channels;
  float sum = 0.0f;
  for (uint r = 0; r < filter_height; r++) {
    int y = (int)(h + pad_h) - (int)(r * dilation_h);
    if (y < 0 || (uint)y % stride_h != 0u || (uint)y / stride_h >= out_height) continue;
    uint p = (uint)y / stride_h;
    for (uint s = 0; s < filter_width; s++) {
      int z = (int)(w + pad_w) - (int)(s * dilation_w);
      if (z < 0 || (uint)z % stride_w != 0u || (uint)z / stride_w >= out_width) continue;
      uint i = (c * filter_height + r) * filter_width + s;
      uint j = (image * out_height + p) * out_width + (uint)z / stride_w;
      sum += dcol[i * row_stride + j * column_stride];
    }
  }
  dx[((image * channels + channel0 + c) * height + h) * width + w] = sum;
}
