#include "textflag.h"

// The bit of every lane of a register.
DATA ·laneBits+0(SB)/4, $1
DATA ·laneBits+4(SB)/4, $2
DATA ·laneBits+8(SB)/4, $4
DATA ·laneBits+12(SB)/4, $8
GLOBL ·laneBits(SB), RODATA|NOPTR, $16
