#include "textflag.h"

// Byte offsets of 16 adjacent dwords.
DATA dwordOffsets<>+0(SB)/8, $0x0000000400000000
DATA dwordOffsets<>+8(SB)/8, $0x0000000C00000008
DATA dwordOffsets<>+16(SB)/8, $0x0000001400000010
DATA dwordOffsets<>+24(SB)/8, $0x0000001C00000018
DATA dwordOffsets<>+32(SB)/8, $0x0000002400000020
DATA dwordOffsets<>+40(SB)/8, $0x0000002C00000028
DATA dwordOffsets<>+48(SB)/8, $0x0000003400000030
DATA dwordOffsets<>+56(SB)/8, $0x0000003C00000038
GLOBL dwordOffsets<>(SB), RODATA|NOPTR, $64

// CHECKED loads the arguments of a gather or scatter and leaves the 64 offsets from base in Z0 to Z3, or goes to refused.
#define CHECKED \
	MOVQ d+0(FP), DI; \
	MOVQ addr+8(FP), SI; \
	MOVQ base+16(FP), BX; \
	MOVL offset+24(FP), DX; \
	VPBROADCASTD DX, Z8; \
	VPBROADCASTD last+28(FP), Z9; \
	VPBROADCASTD align+32(FP), Z10; \
	VPADDD 0(SI), Z8, Z0; \
	VPADDD 64(SI), Z8, Z1; \
	VPADDD 128(SI), Z8, Z2; \
	VPADDD 192(SI), Z8, Z3; \
	VPORD Z0, Z1, Z4; \
	VPORD Z2, Z3, Z5; \
	VPMAXUD Z0, Z1, Z6; \
	VPMAXUD Z2, Z3, Z7; \
	VPORD Z4, Z5, Z4; \
	VPMAXUD Z6, Z7, Z6; \
	VPTESTMD Z10, Z4, K1; \
	VPCMPUD $6, Z9, Z6, K2; \
	KORTESTW K1, K2; \
	JNE refused

#define DONE \
	VZEROUPPER; \
	MOVQ $0, ret+40(FP); \
	RET; \
refused: \
	VZEROUPPER; \
	MOVQ $1, ret+40(FP); \
	RET

// GATHER16 loads 16 lanes: side by side or all from one place where the offsets allow it.
#define GATHER16(OFFSETS, FIRST, AT, scattered, same, store) \
	VPBROADCASTD FIRST, Z4; \
	VPSUBD Z4, OFFSETS, Z5; \
	VMOVD FIRST, R8; \
	VPCMPEQD Z11, Z5, K1; \
	KORTESTW K1, K1; \
	JCC same; \
	VMOVUPS (BX)(R8*1), Z6; \
	JMP store; \
same: \
	VPTESTMD Z5, Z5, K1; \
	KORTESTW K1, K1; \
	JNE scattered; \
	VPBROADCASTD (BX)(R8*1), Z6; \
	JMP store; \
scattered: \
	KXNORW K1, K1, K1; \
	VPXORD Z6, Z6, Z6; \
	VPGATHERDD (BX)(OFFSETS*1), K1, Z6; \
store: \
	VMOVUPS Z6, AT(DI)

// func avx512Gather(d, addr *uint32, base *byte, offset, last, align uint32) uint64
TEXT ·avx512Gather(SB), NOSPLIT, $0-48
	CHECKED
	VMOVDQU32 dwordOffsets<>(SB), Z11
	GATHER16(Z0, X0, 0, scattered0, same0, store0)
	GATHER16(Z1, X1, 64, scattered1, same1, store1)
	GATHER16(Z2, X2, 128, scattered2, same2, store2)
	GATHER16(Z3, X3, 192, scattered3, same3, store3)
	DONE

// QUAD brings the 16 bytes of lanes LANE, LANE+4, LANE+8 and LANE+12 into the quarters of a register.
#define QUAD(LANE, X, Z) \
	MOVL (4*LANE)(SI), R8; \
	MOVL (4*LANE+16)(SI), R9; \
	MOVL (4*LANE+32)(SI), R10; \
	MOVL (4*LANE+48)(SI), R11; \
	ADDL DX, R8; \
	ADDL DX, R9; \
	ADDL DX, R10; \
	ADDL DX, R11; \
	VMOVUPS (BX)(R8*1), X; \
	VINSERTF32X4 $1, (BX)(R9*1), Z, Z; \
	VINSERTF32X4 $2, (BX)(R10*1), Z, Z; \
	VINSERTF32X4 $3, (BX)(R11*1), Z, Z

// TRANSPOSE turns the 4×4 dwords of every quarter of Z0 to Z3 over; the result is in Z8 to Z11.
#define TRANSPOSE \
	VUNPCKLPS Z1, Z0, Z4; \
	VUNPCKHPS Z1, Z0, Z5; \
	VUNPCKLPS Z3, Z2, Z6; \
	VUNPCKHPS Z3, Z2, Z7; \
	VUNPCKLPD Z6, Z4, Z8; \
	VUNPCKHPD Z6, Z4, Z9; \
	VUNPCKLPD Z7, Z5, Z10; \
	VUNPCKHPD Z7, Z5, Z11

// func avx512Gather128(d, addr *uint32, base *byte, offset, last, align uint32) uint64
TEXT ·avx512Gather128(SB), NOSPLIT, $0-48
	CHECKED
	MOVQ $4, CX
loop:
	QUAD(0, X0, Z0)
	QUAD(1, X1, Z1)
	QUAD(2, X2, Z2)
	QUAD(3, X3, Z3)
	TRANSPOSE
	VMOVUPS Z8, (DI)
	VMOVUPS Z9, 256(DI)
	VMOVUPS Z10, 512(DI)
	VMOVUPS Z11, 768(DI)
	ADDQ $64, SI
	ADDQ $64, DI
	DECQ CX
	JNE loop
	DONE

// SCATTER16 stores 16 lanes: side by side where the offsets allow it.
#define SCATTER16(OFFSETS, FIRST, AT, scattered, next) \
	VMOVUPS AT(DI), Z6; \
	VPBROADCASTD FIRST, Z4; \
	VPSUBD Z4, OFFSETS, Z5; \
	VMOVD FIRST, R8; \
	VPCMPEQD Z11, Z5, K1; \
	KORTESTW K1, K1; \
	JCC scattered; \
	VMOVUPS Z6, (BX)(R8*1); \
	JMP next; \
scattered: \
	KXNORW K1, K1, K1; \
	VPSCATTERDD Z6, K1, (BX)(OFFSETS*1); \
next: \
	NOP

// func avx512Scatter(data, addr *uint32, base *byte, offset, last, align uint32) uint64
TEXT ·avx512Scatter(SB), NOSPLIT, $0-48
	CHECKED
	VMOVDQU32 dwordOffsets<>(SB), Z11
	SCATTER16(Z0, X0, 0, scattered0, next0)
	SCATTER16(Z1, X1, 64, scattered1, next1)
	SCATTER16(Z2, X2, 128, scattered2, next2)
	SCATTER16(Z3, X3, 192, scattered3, next3)
	DONE

// PUT stores the quarters number Q of Z8 to Z11, which are lanes 4·Q to 4·Q+3.
#define PUT(Q) \
	MOVL (16*Q)(SI), R8; \
	MOVL (16*Q+4)(SI), R9; \
	MOVL (16*Q+8)(SI), R10; \
	MOVL (16*Q+12)(SI), R11; \
	ADDL DX, R8; \
	ADDL DX, R9; \
	ADDL DX, R10; \
	ADDL DX, R11; \
	VEXTRACTF32X4 $Q, Z8, (BX)(R8*1); \
	VEXTRACTF32X4 $Q, Z9, (BX)(R9*1); \
	VEXTRACTF32X4 $Q, Z10, (BX)(R10*1); \
	VEXTRACTF32X4 $Q, Z11, (BX)(R11*1)

// func avx512Scatter128(data, addr *uint32, base *byte, offset, last, align uint32) uint64
TEXT ·avx512Scatter128(SB), NOSPLIT, $0-48
	CHECKED
	MOVQ $4, CX
loop:
	VMOVUPS (DI), Z0
	VMOVUPS 256(DI), Z1
	VMOVUPS 512(DI), Z2
	VMOVUPS 768(DI), Z3
	TRANSPOSE
	PUT(0)
	PUT(1)
	PUT(2)
	PUT(3)
	ADDQ $64, SI
	ADDQ $64, DI
	DECQ CX
	JNE loop
	DONE

// func avx512Join(addr *uint64, low, high *uint32, aperture uint32) uint64
TEXT ·avx512Join(SB), NOSPLIT, $0-40
	MOVQ addr+0(FP), DI
	MOVQ low+8(FP), SI
	MOVQ high+16(FP), DX
	MOVL aperture+24(FP), R8
	VPBROADCASTD R8, Z8
	MOVL $0xFFFFFFFE, R8
	VPBROADCASTD R8, Z9
	XORL AX, AX
	MOVQ $4, CX
loop:
	VPANDD (DX), Z9, Z4
	VPCMPEQD Z8, Z4, K1
	KMOVW K1, R8
	SHLQ $48, R8
	SHRQ $16, AX
	ORQ R8, AX
	VPMOVZXDQ (SI), Z0
	VPMOVZXDQ (DX), Z1
	VPMOVZXDQ 32(SI), Z2
	VPMOVZXDQ 32(DX), Z3
	VPSLLQ $32, Z1, Z1
	VPSLLQ $32, Z3, Z3
	VPORQ Z0, Z1, Z0
	VPORQ Z2, Z3, Z2
	VMOVUPS Z0, (DI)
	VMOVUPS Z2, 64(DI)
	ADDQ $64, SI
	ADDQ $64, DX
	ADDQ $128, DI
	DECQ CX
	JNE loop
	VZEROUPPER
	MOVQ AX, ret+32(FP)
	RET

// func avx512Buffer(addr *uint64, offsets *uint32, base uint64, offset, last uint32) uint64
TEXT ·avx512Buffer(SB), NOSPLIT, $0-40
	MOVQ addr+0(FP), DI
	MOVQ offsets+8(FP), SI
	VPBROADCASTQ base+16(FP), Z8
	MOVL offset+24(FP), R8
	VPBROADCASTD R8, Z9
	MOVL last+28(FP), R8
	VPBROADCASTD R8, Z10
	XORL AX, AX
	MOVQ $4, CX
loop:
	VPADDD (SI), Z9, Z0
	VPCMPUD $6, Z10, Z0, K1
	KMOVW K1, R8
	SHLQ $48, R8
	SHRQ $16, AX
	ORQ R8, AX
	VPMOVZXDQ Y0, Z1
	VEXTRACTI64X4 $1, Z0, Y2
	VPMOVZXDQ Y2, Z2
	VPADDQ Z8, Z1, Z1
	VPADDQ Z8, Z2, Z2
	VMOVUPS Z1, (DI)
	VMOVUPS Z2, 64(DI)
	ADDQ $64, SI
	ADDQ $128, DI
	DECQ CX
	JNE loop
	VZEROUPPER
	MOVQ AX, ret+32(FP)
	RET

// Numbers of eight lanes.
DATA laneNumbers<>+0(SB)/8, $0
DATA laneNumbers<>+8(SB)/8, $1
DATA laneNumbers<>+16(SB)/8, $2
DATA laneNumbers<>+24(SB)/8, $3
DATA laneNumbers<>+32(SB)/8, $4
DATA laneNumbers<>+40(SB)/8, $5
DATA laneNumbers<>+48(SB)/8, $6
DATA laneNumbers<>+56(SB)/8, $7
GLOBL laneNumbers<>(SB), RODATA|NOPTR, $64

// func avx512Adjacent(addr *uint64, step uint64) uint64
TEXT ·avx512Adjacent(SB), NOSPLIT, $0-24
	MOVQ addr+0(FP), SI
	MOVQ step+8(FP), DX
	VPBROADCASTQ DX, Z1
	VPMULLQ laneNumbers<>(SB), Z1, Z1
	VPBROADCASTQ (SI), Z0
	VPADDQ Z1, Z0, Z0
	SHLQ $3, DX
	VPBROADCASTQ DX, Z2
	XORL AX, AX
	MOVQ $8, CX
loop:
	VPCMPUQ $4, (SI), Z0, K1
	KMOVW K1, R8
	ORQ R8, AX
	VPADDQ Z2, Z0, Z0
	ADDQ $64, SI
	DECQ CX
	JNE loop
	VZEROUPPER
	MOVQ AX, ret+16(FP)
	RET

// func avx512Span(offsets *uint32, addr *uint64, mask uint64) (least, greatest uint64)
TEXT ·avx512Span(SB), NOSPLIT, $0-40
	MOVQ addr+8(FP), SI
	MOVQ mask+16(FP), BX
	BSFQ BX, R8
	VPBROADCASTQ (SI)(R8*8), Z8
	VMOVDQA64 Z8, Z9  // least
	VMOVDQA64 Z8, Z10 // greatest
	MOVQ BX, R9
	MOVQ SI, R10
	MOVQ $8, CX
extremes:
	KMOVW R9, K1
	SHRQ $8, R9
	VMOVDQU64 (R10), Z0
	VPMINUQ Z0, Z9, K1, Z9
	VPMAXUQ Z0, Z10, K1, Z10
	ADDQ $64, R10
	DECQ CX
	JNE extremes
	VEXTRACTI64X4 $1, Z9, Y0
	VPMINUQ Y0, Y9, Y9
	VEXTRACTI64X2 $1, Y9, X0
	VPMINUQ X0, X9, X9
	VPSHUFD $0x4E, X9, X0
	VPMINUQ X0, X9, X9
	VEXTRACTI64X4 $1, Z10, Y0
	VPMAXUQ Y0, Y10, Y10
	VEXTRACTI64X2 $1, Y10, X0
	VPMAXUQ X0, X10, X10
	VPSHUFD $0x4E, X10, X0
	VPMAXUQ X0, X10, X10
	VPBROADCASTQ X9, Z9
	MOVQ offsets+0(FP), DI
	MOVQ $8, CX
distances:
	KMOVW BX, K1
	SHRQ $8, BX
	VMOVDQA64 Z8, Z0
	VMOVDQU64 (SI), K1, Z0
	VPSUBQ Z9, Z0, Z0
	VPMOVQD Z0, (DI)
	ADDQ $64, SI
	ADDQ $32, DI
	DECQ CX
	JNE distances
	VMOVQ X9, R8
	MOVQ R8, least+24(FP)
	VMOVQ X10, R8
	MOVQ R8, greatest+32(FP)
	VZEROUPPER
	RET
