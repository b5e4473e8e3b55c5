#include "textflag.h"

// The bit of every lane of an AVX2 register.
DATA ·laneBits+0(SB)/4, $1
DATA ·laneBits+4(SB)/4, $2
DATA ·laneBits+8(SB)/4, $4
DATA ·laneBits+12(SB)/4, $8
DATA ·laneBits+16(SB)/4, $16
DATA ·laneBits+20(SB)/4, $32
DATA ·laneBits+24(SB)/4, $64
DATA ·laneBits+28(SB)/4, $128
GLOBL ·laneBits(SB), RODATA|NOPTR, $32

// MXCSR as Go programs have it.
DATA ·defaultControl+0(SB)/4, $0x1F80
GLOBL ·defaultControl(SB), RODATA|NOPTR, $4
