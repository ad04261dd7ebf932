/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the recorder keeps in kernel memory, and therefore what a dump holds.
 *
 * Plain fixed structs, little-endian like the machine that wrote them. Readers
 * take every size from struct lkst_header, so that members may be added at the
 * end of a struct with a new minor ABI version; a change that an old reader
 * would misread needs a new major one.
 */
#ifndef LKST_LAYOUT_H
#define LKST_LAYOUT_H

#define LKST_MAGIC "LKST recorder"
#define LKST_ABI_MAJOR 1
#define LKST_ABI_MINOR 0

#define LKST_MAX_EVENTS 256
#define LKST_MAX_FIELDS 10
#define LKST_MAX_MASKSETS 16

/*
 * A slot is one cache line. Its first word names it: the recorder's tag in the
 * upper 16 bits, the slot's sequence number on its CPU in the lower 48. The tag
 * is inverted while the record is being written and set right last, so a slot
 * that was claimed and not committed tells so itself.
 */
#define LKST_SLOT_SIZE 64
#define LKST_SEQ_BITS 48
#define LKST_SEQ_MASK ((1ULL << LKST_SEQ_BITS) - 1)

/*
 * The second word: event, CPU, pid of the current task, number of slots of the
 * record, flags. PID_MAX_LIMIT is 2^22 (include/linux/threads.h).
 */
#define LKST_CPU_SHIFT 16
#define LKST_PID_SHIFT 32
#define LKST_NR_SHIFT 54
#define LKST_FLAGS_SHIFT 59
#define LKST_PID_MASK ((1ULL << 22) - 1)
#define LKST_MAX_SLOTS 31

#define LKST_FLAG_TRUNCATED 1 /* the text was longer than a record can be */

/* A record's first slot. */
struct lkst_slot {
	__u64 commit;
	__u64 what;
	__u64 ts; /* CLOCK_MONOTONIC, ns */
	__u8 payload[40];
};

/* Further slots of a long record: event 0, and their place in the record. */
struct lkst_more {
	__u64 commit;
	__u64 what; /* event 0, CPU, place (1, 2, ...) where the pid is */
	__u8 payload[48];
};

/* One per CPU: a page, which can be recognised alone as well. */
#define LKST_CPU_MAGIC "LKSTcpu"
#define LKST_CPU_SIZE 4096

struct lkst_cpu {
	char magic[8];
	__u32 tag; /* of the recorder */
	__u32 cpu;
	__u64 head; /* slots ever claimed */
	__u64 reserved[5];
	__u64 count[LKST_MAX_EVENTS]; /* records ever claimed, by event */
} __attribute__((aligned(LKST_CPU_SIZE)));

/* What an event is wired to; struct lkst_control says how that went. */
enum lkst_state {
	LKST_UNUSED,	 /* no maskset asked for it */
	LKST_ATTACHED,	 /* */
	LKST_ABSENT,	 /* this kernel has no such hook */
	LKST_UNATTACHED, /* the kernel refused it */
};

/* Read by the programs at each event, written by the control side. */
struct lkst_control {
	__u32 active; /* maskset */
	__u32 reserved[15];
	__u8 handler[LKST_MAX_MASKSETS][LKST_MAX_EVENTS];
	char maskset[LKST_MAX_MASKSETS][32]; /* names */
	__u8 state[LKST_MAX_EVENTS];	     /* enum lkst_state */
	__u32 prog_id[LKST_MAX_EVENTS];	     /* of the BPF program, 0: none */
};

enum lkst_handler {
	LKST_OFF,
	LKST_RECORD,
};

/*
 * The catalogue: a header, then one entry for each event. None of them crosses
 * a page, and each has the tag, so that they can be put together again when the
 * page tables are gone.
 */
#define LKST_ENTRY_SIZE 1024

struct lkst_header {
	char magic[16];
	__u16 abi_major;
	__u16 abi_minor;
	__u32 header_size; /* bytes, like all sizes here */
	__u32 event_size;
	__u32 field_size;
	__u32 nr_events;
	__u32 slot_size;
	__u32 nr_cpus;	/* possible CPUs: rings */
	__u32 nr_slots; /* in one ring, a power of two */
	__u32 cpu_size;
	__u32 tag;
	__u64 start;	    /* CLOCK_MONOTONIC, ns, when it was loaded */
	__s64 real_offset;  /* CLOCK_REALTIME - CLOCK_MONOTONIC then, ns */
	__u8 boot_id[16];   /* /proc/sys/kernel/random/boot_id */
	char release[64];   /* uname -r */
	char machine[64];   /* uname -n */
	char version[32];   /* of this software */
	__u32 control_size; /* bytes of struct lkst_control */
	__u32 max_events;   /* LKST_MAX_EVENTS, LKST_MAX_MASKSETS */
	__u32 max_masksets;
	__u32 reserved[5];
} __attribute__((aligned(LKST_ENTRY_SIZE)));

/* Fields lie in the payload one after the other, without holes. */
struct lkst_field {
	char name[20];
	char type[20]; /* how to read and show it: see types.h */
	char unit[12]; /* of a number; for a name: the field it names */
	__u32 size;
};

#define LKST_EVENT_MAGIC "LKSTevt"

struct lkst_event {
	char magic[8];
	__u32 tag; /* of the recorder */
	__u32 id;
	__u32 by_default; /* in the maskset "default" */
	char name[32];	  /* the kernel's own, where it has one */
	char category[16];
	char old_name[32]; /* in LKST of 2001-2005, or empty */
	char hook[40];	   /* tracepoint that feeds it */
	char description[64];
	struct lkst_field fields[LKST_MAX_FIELDS]; /* ends with one without name */
} __attribute__((aligned(LKST_ENTRY_SIZE)));

#endif
