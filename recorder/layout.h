/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the recorder keeps in kernel memory, and therefore what a dump holds.
 *
 * The structs are fixed and little-endian. Readers take every size from struct
 * lkst_header. So a new minor ABI version may add members at the end of a struct; a
 * change that an old reader would misread needs a new major version. The offsets of
 * members are ABI, their names are not.
 */
#ifndef LKST_LAYOUT_H
#define LKST_LAYOUT_H

#include <linux/types.h>

#define LKST_MAGIC "LKST recorder"
#define LKST_ABI_MAJOR 2
#define LKST_ABI_MINOR 2

#define LKST_MAX_EVENTS 256
#define LKST_MAX_FIELDS 10
#define LKST_MAX_MASKSETS 16
#define LKST_MAX_BUFFERS 16
#define LKST_MAX_TRIGGERS 32
#define LKST_MAX_CLAUSES 64
#define LKST_MAX_TERMS 4
#define LKST_MAX_HISTS 32
#define LKST_MAX_USER 4
#define LKST_MAX_PROBES 64
#define LKST_MAX_STEPS 64
#define LKST_NAME_SIZE 32

/*
 * A slot is one cache line. The upper 16 bits of its first word are the recorder's tag
 * and the buffer's number, the lower 48 bits are the slot's sequence number in its ring.
 * The upper 16 bits are inverted while the record is being written, and set right last,
 * so a reader can tell a slot that was claimed and not committed. The lowest 4 bits of a
 * tag are 0: the buffer's number goes there.
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
#define LKST_FLAG_STACK 2     /* the last LKST_STACK_SLOTS slots hold the kernel's stack */

/* Return addresses, the innermost first; 0 ends them. */
#define LKST_STACK_SLOTS 4
#define LKST_STACK_FRAMES (LKST_STACK_SLOTS * 6)

/* A record's first slot. */
struct lkst_slot {
	__u64 commit;
	__u64 what;
	__u64 ts; /* CLOCK_MONOTONIC, ns */
	__u8 payload[40];
};

/* A further slot of a long record. */
struct lkst_continuation {
	__u64 commit;
	__u64 what; /* event 0, CPU; instead of the pid the slot's number in the record: 1, 2, ...
		     */
	__u8 payload[48];
};

#define LKST_PAYLOAD_SIZE sizeof(((struct lkst_slot *)0)->payload)
#define LKST_CONTINUATION_SIZE sizeof(((struct lkst_continuation *)0)->payload)

/*
 * One CPU's ring in one buffer. A record is claimed while head is below limit;
 * freezing sets the limit.
 */
struct lkst_place {
	__u64 head; /* slots ever claimed */
	__u64 limit;
};

/* What a CPU lets through of a probe. */
struct lkst_flow {
	__u64 since;	/* CLOCK_MONOTONIC, ns, when it began to count anew */
	__u32 taken;	/* records since then */
	__u32 unpaired; /* calls whose beginning or end is not known */
	__u64 held;	/* records that the limit held back */
};

/* One per CPU: a page, which can be recognised alone as well. */
#define LKST_CPU_MAGIC "LKSTcpu"
#define LKST_CPU_SIZE 4096

struct lkst_cpu {
	char magic[8];
	__u32 tag; /* of the recorder */
	__u32 cpu;
	__u64 refused;	    /* records that came when the ring was frozen */
	__u64 unused;	    /* until ABI 2.1: the thread that ran */
	__u32 in_reserve;   /* not 0: a program is in bpf_ringbuf_reserve() */
	__u32 in_get_stack; /* programs that are in bpf_get_stack() */
	__u64 reserved[3];
	struct lkst_place place[LKST_MAX_BUFFERS];
	__u64 count[LKST_MAX_EVENTS]; /* records ever claimed, by event */
	struct lkst_flow flow[LKST_MAX_PROBES];
} __attribute__((aligned(LKST_CPU_SIZE)));

/* What handlers count; one per CPU. */
#define LKST_COUNTS_MAGIC "LKSTcnt"
#define LKST_BUCKETS 64

struct lkst_counts {
	char magic[8];
	__u32 tag;
	__u32 cpu;
	__u64 reserved[6];
	__u64 counted[LKST_MAX_EVENTS];		    /* handlers count and hist, by event */
	__u64 sum[LKST_MAX_HISTS];		    /* of the values */
	__u64 bucket[LKST_MAX_HISTS][LKST_BUCKETS]; /* n: values of n bits */
} __attribute__((aligned(LKST_CPU_SIZE)));

/* What an event is wired to; struct lkst_control says how that went. */
enum lkst_state {
	LKST_UNUSED,	 /* no maskset asked for it */
	LKST_ATTACHED,	 /* */
	LKST_ABSENT,	 /* this kernel has no such hook */
	LKST_UNATTACHED, /* the kernel refused it */
};

/* What happens when an event fires. */
enum lkst_handler {
	LKST_OFF,
	LKST_RECORD,
	LKST_STACK, /* record, with the kernel's stack */
	LKST_COUNT,
	LKST_HIST,
	LKST_USER = 8, /* and up: programs that a user has loaded */
};
#define LKST_HANDLER_MASK 0x0f
#define LKST_EVALUATE 0x80 /* a filter or a trigger is about the event */

/* A buffer is a set of rings, one for each CPU, in one map. */
enum lkst_buffer_state {
	LKST_FREE,    /* no buffer */
	LKST_SPARE,   /* empty: a trigger may switch to it */
	LKST_WRITTEN, /* has records, or gets them */
};

struct lkst_buffer {
	char name[LKST_NAME_SIZE];
	__u32 state; /* enum lkst_buffer_state */
	__u32 map_id;
	__u32 nr_slots; /* in one ring, a power of two */
	__u32 tag;	/* of its slots */
	__u32 reserved[4];
};

/* Which tasks and CPUs a maskset is about; a part that is not flagged lets all pass. */
enum lkst_filter_flags {
	LKST_BY_CPU = 1,
	LKST_BY_PID = 2, /* in the map lkst_followed */
	LKST_BY_COMM = 4,
	LKST_BY_CGROUP = 8,
};
#define LKST_MAX_PATTERNS 4
#define LKST_FILTER_CPUS 1024

struct lkst_pattern {
	char comm[16];
	__u32 size; /* bytes to compare: 16 for a whole name */
	__u32 reserved;
};

struct lkst_cgroup {
	__u64 id;
	__u32 level; /* its depth: 0 is the root */
	__u32 used;
};

struct lkst_filter {
	__u32 flags;
	__u32 reserved;
	struct lkst_pattern comm[LKST_MAX_PATTERNS];
	struct lkst_cgroup cgroup[LKST_MAX_PATTERNS];
	__u64 cpus[LKST_FILTER_CPUS / 64];
};

/* The field that a histogram is of. */
struct lkst_hist {
	__u16 event; /* 0: none */
	__u8 offset; /* in the payload */
	__u8 size;
	__u8 is_signed;
	__u8 reserved[3];
};

/* A condition: any of its clauses, of which all terms hold. */
enum lkst_op {
	LKST_EQ,
	LKST_NE,
	LKST_LT,
	LKST_LE,
	LKST_GT,
	LKST_GE,
	LKST_AND, /* some bit is set */
	LKST_NAND,
};

struct lkst_term {
	__u8 offset; /* in the payload; the value does not cross 8 bytes */
	__u8 size;   /* 1, 2, 4, 8; 16: a name, only == and != */
	__u8 op;
	__u8 is_signed;
	__u32 reserved;
	__u64 value[2];
};

struct lkst_clause {
	__u16 event;
	__u8 trigger;
	__u8 nr_terms;
	__u32 reserved;
	struct lkst_term term[LKST_MAX_TERMS];
};

/* Clauses sorted by event. There are two tables: one counts, the other is written. */
struct lkst_rules {
	__u8 first[LKST_MAX_EVENTS];
	__u8 nr[LKST_MAX_EVENTS];
	struct lkst_clause clause[LKST_MAX_CLAUSES];
};

enum lkst_action {
	LKST_DO_NOTIFY = 1,
	LKST_DO_MASK = 2,
	LKST_DO_FREEZE = 4,
	LKST_DO_SWITCH = 8,
	LKST_DO_STACK = 16,
};

enum lkst_trigger_state {
	LKST_NO_TRIGGER,
	LKST_ON,
	LKST_COMING, /* is being added */
};

struct lkst_trigger {
	char name[LKST_NAME_SIZE];
	char when[192]; /* as the user wrote it */
	char action[96];
	__u32 used;    /* enum lkst_trigger_state */
	__u32 actions; /* enum lkst_action */
	__u32 maskset; /* to switch to */
	__u32 reserved;
	__u64 duration; /* of that, ns; 0: for good */
	__u64 freeze;	/* slots that each ring still takes */
	__u64 interval; /* shortest time between two firings, ns */
	__u64 fired;	/* times that the actions were done */
	__u64 held;	/* times that the interval forbade it */
	__u64 last;	/* CLOCK_MONOTONIC, ns, of the last firing */
};

/* A step of the wall clock: the clock was set, a leap second, the machine slept. */
struct lkst_step {
	__u64 since;	   /* CLOCK_MONOTONIC, ns: the old offset was still true then */
	__u64 ts;	   /* CLOCK_MONOTONIC, ns: the new offset was true from here on */
	__s64 real_offset; /* the new CLOCK_REALTIME - CLOCK_MONOTONIC, ns */
	__s64 boot_offset; /* CLOCK_BOOTTIME - CLOCK_MONOTONIC, ns: all the time asleep */
};

/* The last steps. They lie here since a ring can be overwritten within milliseconds. */
struct lkst_clock {
	__u64 timekeeper;  /* address of the kernel's struct timekeeper; 0: not known */
	__u64 checked;	   /* CLOCK_MONOTONIC, ns: when real_offset was last seen true */
	__s64 real_offset; /* CLOCK_REALTIME - CLOCK_MONOTONIC since the last step, ns */
	__s64 boot_offset; /* CLOCK_BOOTTIME - CLOCK_MONOTONIC at the recorder's start, ns */
	__u32 watched;	   /* 1: programs see every step as it happens */
	__u32 reserved;
	__u64 nr; /* steps ever noted; step nr is at nr % LKST_MAX_STEPS, from 0 on */
	struct lkst_step step[LKST_MAX_STEPS];
};

/* Read by the programs at each event, written by the control side and by triggers. */
#define LKST_CONTROL_MAGIC "LKSTctl"

struct lkst_control {
	/* The first page can be recognised alone. */
	char magic[8];
	__u32 tag;
	__u32 active;	  /* maskset */
	__u32 into;	  /* buffer that is written */
	__u32 base;	  /* maskset that is active again when "until" is over */
	__u64 until;	  /* CLOCK_MONOTONIC, ns; 0: no end */
	__u64 beat;	  /* last heartbeat, CLOCK_MONOTONIC, ns; 0: none is expected */
	__u64 period;	  /* of the control side's timer, ns; 0: it stops */
	__u64 unheard;	  /* notices that found no room */
	__u64 no_spare;	  /* switches that found no spare buffer */
	__u64 unfollowed; /* tasks that found no room in lkst_followed */
	__u32 rules;	  /* which table of clauses counts: 0 or 1 */
	__u32 children;	  /* masksets that follow children too, one bit for each */
	__u32 home;	  /* buffer whose rings lkst_ring is; LKST_MAX_BUFFERS: none */
	__u32 unused;	  /* until ABI 2.1: whether lkst_cpu has the thread that runs */
	__u32 reserved[10];
	struct lkst_buffer buffer[LKST_MAX_BUFFERS];

	__u8 handler[LKST_MAX_MASKSETS][LKST_MAX_EVENTS];
	__u8 argument[LKST_MAX_MASKSETS][LKST_MAX_EVENTS]; /* of hist: which */
	char maskset[LKST_MAX_MASKSETS][LKST_NAME_SIZE];   /* names; "": free */
	struct lkst_filter filter[LKST_MAX_MASKSETS];
	__u8 subject[LKST_MAX_EVENTS];	/* offset of the pid that a record is about; 0xff: none */
	__u8 state[LKST_MAX_EVENTS];	/* enum lkst_state */
	__u32 prog_id[LKST_MAX_EVENTS]; /* of the BPF program, 0: none */
	char user[LKST_MAX_USER][LKST_NAME_SIZE]; /* users' handlers; "": free */
	struct lkst_hist hist[LKST_MAX_HISTS];
	struct lkst_trigger trigger[LKST_MAX_TRIGGERS];
	struct lkst_rules table[2];
	struct lkst_clock clock; /* since ABI 2.2 */
};

/* What a trigger or a handler tells user space, through the ring buffer lkst_notices. */
struct lkst_notice {
	__u32 trigger; /* LKST_MAX_TRIGGERS + n: user's handler n */
	__u32 actions;
	struct lkst_slot record;
};

/*
 * The catalogue: a header, then one entry for each event, in the order of their
 * ids from 1 on; behind the events of this software there are places for probes.
 * None of them crosses a page, and each has the tag, so that they can be put
 * together again when the page tables are gone. A place whose magic is missing is
 * free: the magic is written last and cleared first, so that nobody sees half an entry.
 */
#define LKST_ENTRY_SIZE 1024

struct lkst_header {
	char magic[16];
	__u16 abi_major;
	__u16 abi_minor;
	__u32 header_size; /* bytes, like all sizes here */
	__u32 event_size;
	__u32 field_size;
	__u32 nr_events; /* of this software */
	__u32 slot_size;
	__u32 nr_cpus;	/* possible CPUs: rings */
	__u32 nr_slots; /* in one ring of the first buffer, a power of two */
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
	__u32 counts_size; /* bytes of struct lkst_counts */
	__u32 nr_probes;   /* places for probes, behind the events */
	__u32 reserved[3];
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
	__u32 by_default; /* in the maskset "default"; of a probe 2: with the stack */
	char name[32];	  /* the kernel's own, where it has one */
	char category[16];
	char old_name[32]; /* in LKST of 2001-2005, or empty */
	char hook[40];	   /* tracepoint that feeds it; of a probe: MECHANISM/TARGET */
	char description[64];
	struct lkst_field fields[LKST_MAX_FIELDS + 1]; /* ends with one without name */
	/* Of a probe: when its place became its, and when it was removed; 0: not yet. */
	__u64 since; /* CLOCK_MONOTONIC, ns */
	__u64 until;
	char enums[184]; /* of fields of type enum and flags, in their order, with spaces */
} __attribute__((aligned(LKST_ENTRY_SIZE)));

#endif
