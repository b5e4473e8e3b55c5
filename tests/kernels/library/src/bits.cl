/* Bytes, shorts, 64-bit integers and bit operations. */

/* An AES-like round: bytes through a table, rows rotated, columns mixed by xor. 16 bytes a work-item. */
__kernel void table_cipher(__global const uchar *text, __constant uchar *box, __global const uchar *key, __global uchar *out,
                           int rounds) {
  int g = get_global_id(0);
  uchar s[16], t[16];
  for (int i = 0; i < 16; i++) s[i] = text[g * 16 + i];
  for (int r = 0; r < rounds; r++) {
    for (int i = 0; i < 16; i++) t[i] = box[s[(i + 4 * (i & 3)) & 15]];
    for (int i = 0; i < 16; i++) s[i] = t[i] ^ t[(i + 1) & 15] ^ key[(r * 16 + i) & 255];
  }
  for (int i = 0; i < 16; i++) out[g * 16 + i] = s[i];
}

__kernel void crc32(__global const uchar *data, __global uint *crc, int length) {
  int g = get_global_id(0);
  uint c = 0xffffffffu;
  for (int i = 0; i < length; i++) {
    c ^= data[g * length + i];
    for (int b = 0; b < 8; b++) c = (c >> 1) ^ (0xedb88320u & -(c & 1u));
  }
  crc[g] = ~c;
}

__kernel void bit_tricks(__global const uint *x, __global uint *out, int n) {
  int i = get_global_id(0);
  if (i >= n) return;
  uint v = x[i];
  out[i] = popcount(v);
  out[n + i] = clz(v);
  out[2 * n + i] = rotate(v, 7u);
  out[3 * n + i] = __builtin_bitreverse32(v);
  out[4 * n + i] = mul_hi(v, 0x9e3779b9u);
  out[5 * n + i] = (uint)abs((int)v);
  out[6 * n + i] = add_sat(v, 0xf0000000u);
  out[7 * n + i] = __builtin_bswap32(v);
}

__kernel void divide64(__global const long *a, __global const long *b, __global long *quotient, __global long *remainder,
                       __global ulong *unsigned_quotient, int n) {
  int i = get_global_id(0);
  if (i >= n) return;
  quotient[i] = a[i] / b[i];
  remainder[i] = a[i] % b[i];
  unsigned_quotient[i] = (ulong)a[i] / (ulong)b[i];
}

__kernel void divide32(__global const int *a, __global const int *b, __global int *quotient, __global uint *remainder, int n) {
  int i = get_global_id(0);
  if (i >= n) return;
  quotient[i] = a[i] / b[i];
  remainder[i] = (uint)a[i] % (uint)b[i];
}

/* 3-tap filter on 16-bit samples, saturating. */
__kernel void filter16(__global const short *x, __global short *y, int n) {
  int i = get_global_id(0);
  if (i >= n) return;
  int left = i > 0 ? x[i - 1] : 0, right = i + 1 < n ? x[i + 1] : 0;
  y[i] = convert_short_sat((left + 2 * x[i] + right) * 3 / 4);
}

__kernel void rgb_to_gray(__global const uchar4 *rgb, __global uchar *gray, int n) {
  int i = get_global_id(0);
  if (i < n) gray[i] = (uchar)((77 * rgb[i].x + 150 * rgb[i].y + 29 * rgb[i].z) >> 8);
}

__kernel void base64(__global const uchar *in, __global uchar *out, int groups) {
  int g = get_global_id(0);
  if (g >= groups) return;
  uint v = (uint)in[3 * g] << 16 | (uint)in[3 * g + 1] << 8 | in[3 * g + 2];
  for (int i = 0; i < 4; i++) {
    uint d = (v >> (18 - 6 * i)) & 63u;
    out[4 * g + i] = (uchar)(d < 26 ? 'A' + d : d < 52 ? 'a' + d - 26 : d < 62 ? '0' + d - 52 : d == 62 ? '+' : '/');
  }
}

/* Positions of a pattern in a text, one word of 32 flags a work-item. */
__kernel void string_match(__global const uchar *text, __global const uchar *pattern, __global uint *found, int length,
                           int pattern_length) {
  int g = get_global_id(0);
  uint flags = 0;
  for (int b = 0; b < 32; b++) {
    int at = g * 32 + b, i = 0;
    if (at + pattern_length > length) break;
    while (i < pattern_length && text[at + i] == pattern[i]) i++;
    if (i == pattern_length) flags |= 1u << b;
  }
  found[g] = flags;
}

__kernel void conversions(__global const float *x, __global int *out, __global double *wide, int n) {
  int i = get_global_id(0);
  if (i >= n) return;
  out[i] = convert_int_sat(x[i]);
  out[n + i] = convert_int_rte(x[i]);
  out[2 * n + i] = (int)convert_uchar_sat(x[i]);
  out[3 * n + i] = (int)floor(x[i]);
  out[4 * n + i] = (int)ceil(x[i]);
  wide[i] = (double)x[i] * 1.5;
}
