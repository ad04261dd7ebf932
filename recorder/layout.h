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
 * The position of a CPU's ring in a buffer. A record may be claimed while head is below
 * limit. Freezing sets the limit.
 */
struct lkst_place {
	__u64 head; /* slots ever claimed */
	__u64 limit;
};

/* The rate limit of a probe on a CPU. */
struct lkst_flow {
	__u64 since;	/* CLOCK_MONOTONIC, ns: start of the period */
	__u32 taken;	/* records in the period */
	__u32 unpaired; /* calls whose beginning or end is not known */
	__u64 held;	/* records that the limit has suppressed */
};

/* A page for each CPU. It can be recognised alone. */
#define LKST_CPU_MAGIC "LKSTcpu"
#define LKST_CPU_SIZE 4096

struct lkst_cpu {
	char magic[8];
	__u32 tag; /* of the recorder */
	__u32 cpu;
	__u64 refused;	    /* records that a frozen ring did not take */
	__u64 unused;	    /* until ABI 2.1: the current thread */
	__u32 in_reserve;   /* not 0: a program is in bpf_ringbuf_reserve() */
	__u32 in_get_stack; /* programs that are in bpf_get_stack() */
	__u64 reserved[3];
	struct lkst_place place[LKST_MAX_BUFFERS];
	__u64 count[LKST_MAX_EVENTS]; /* records ever claimed, by event */
	struct lkst_flow flow[LKST_MAX_PROBES];
} __attribute__((aligned(LKST_CPU_SIZE)));

/* Counts and histograms of a CPU. */
#define LKST_COUNTS_MAGIC "LKSTcnt"
#define LKST_BUCKETS 64

struct lkst_counts {
	char magic[8];
	__u32 tag;
	__u32 cpu;
	__u64 reserved[6];
	__u64 counted[LKST_MAX_EVENTS];		    /* events with LKST_COUNT or LKST_HIST */
	__u64 sum[LKST_MAX_HISTS];		    /* of the values */
	__u64 bucket[LKST_MAX_HISTS][LKST_BUCKETS]; /* n: values of n bits */
} __attribute__((aligned(LKST_CPU_SIZE)));

/* The state of an event's hook. */
enum lkst_state {
	LKST_UNUSED, /* no maskset has the event */
	LKST_ATTACHED,
	LKST_ABSENT,	 /* this kernel has no such hook */
	LKST_UNATTACHED, /* the kernel refused the program */
};

/* What to do with an event. */
enum lkst_handler {
	LKST_OFF,
	LKST_RECORD,
	LKST_STACK, /* record, with the kernel's stack */
	LKST_COUNT,
	LKST_HIST,
	LKST_USER = 8, /* and up: the handlers that users have loaded */
};
#define LKST_HANDLER_MASK 0x0f
#define LKST_EVALUATE 0x80 /* a filter or a trigger is about the event */

/* A buffer is a set of rings, one for each CPU, in one map. */
enum lkst_buffer_state {
	LKST_FREE,    /* no buffer */
	LKST_SPARE,   /* empty: a trigger may switch to it */
	LKST_WRITTEN, /* has records, or is the current one */
};

struct lkst_buffer {
	char name[LKST_NAME_SIZE];
	__u32 state; /* enum lkst_buffer_state */
	__u32 map_id;
	__u32 nr_slots; /* in one ring, a power of two */
	__u32 tag;	/* of its slots */
	__u32 reserved[4];
};

/* The filter of a maskset. All parts that are flagged must let the event pass. */
enum lkst_filter_flags {
	LKST_BY_CPU = 1,
	LKST_BY_PID = 2, /* by the map lkst_followed */
	LKST_BY_COMM = 4,
	LKST_BY_CGROUP = 8,
};
#define LKST_MAX_PATTERNS 4
#define LKST_FILTER_CPUS 1024

struct lkst_pattern {
	char comm[16];
	__u32 size; /* bytes to compare: 16 for a whole name; 0: no pattern */
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

/* The field of a histogram. */
struct lkst_hist {
	__u16 event; /* 0: none */
	__u8 offset; /* in the payload */
	__u8 size;
	__u8 is_signed;
	__u8 reserved[3];
};

/* A condition holds if one of its clauses does; a clause, if all of its terms do. */
enum lkst_op {
	LKST_EQ,
	LKST_NE,
	LKST_LT,
	LKST_LE,
	LKST_GT,
	LKST_GE,
	LKST_AND,  /* some bit is set */
	LKST_NAND, /* no bit is set */
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

/*
 * The clauses of all triggers, sorted by event. There are two of these: the programs use one
 * while the control side writes the other.
 */
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
	LKST_COMING, /* the control side is adding it */
};

struct lkst_trigger {
	char name[LKST_NAME_SIZE];
	char when[192]; /* as the user wrote it */
	char action[96];
	__u32 used;    /* enum lkst_trigger_state */
	__u32 actions; /* enum lkst_action */
	__u32 maskset; /* index of the maskset to switch to */
	__u32 reserved;
	__u64 duration; /* of the switch, ns; 0: for good */
	__u64 freeze;	/* slots that each ring still takes */
	__u64 interval; /* shortest time between two firings, ns */
	__u64 fired;	/* times that it has fired */
	__u64 held;	/* times that the interval has suppressed it */
	__u64 last;	/* CLOCK_MONOTONIC, ns, of the last firing */
};

/* A step of the wall clock: the clock was set, a leap second, a suspend. */
struct lkst_step {
	__u64 since;	   /* CLOCK_MONOTONIC, ns: the old offset was still true then */
	__u64 ts;	   /* CLOCK_MONOTONIC, ns: the new offset was true from here on */
	__s64 real_offset; /* the new CLOCK_REALTIME - CLOCK_MONOTONIC, ns */
	__s64 boot_offset; /* CLOCK_BOOTTIME - CLOCK_MONOTONIC, ns: total time in suspend */
};

/* The last steps. They are here since a ring can be overwritten within milliseconds. */
struct lkst_clock {
	__u64 timekeeper;  /* address of the kernel's struct timekeeper; 0: not known */
	__u64 checked;	   /* CLOCK_MONOTONIC, ns: when real_offset was last compared and true */
	__s64 real_offset; /* CLOCK_REALTIME - CLOCK_MONOTONIC since the last step, ns */
	__s64 boot_offset; /* CLOCK_BOOTTIME - CLOCK_MONOTONIC at the recorder's start, ns */
	__u32 watched;	   /* 1: programs see every step as it happens */
	__u32 reserved;
	__u64 nr; /* steps ever recorded; number n, from 0, is step[n % LKST_MAX_STEPS] */
	struct lkst_step step[LKST_MAX_STEPS];
};

/*
 * The control map. The programs read it at each event; the control side and triggers write
 * it. The first page can be recognised alone.
 */
#define LKST_CONTROL_MAGIC "LKSTctl"

struct lkst_control {
	char magic[8];
	__u32 tag;		  /* of the recorder */
	__u32 active_maskset;	  /* index of the maskset that counts */
	__u32 current_buffer;	  /* index of the buffer that is written */
	__u32 base_maskset;	  /* index of the maskset that is active after active_until */
	__u64 active_until;	  /* CLOCK_MONOTONIC, ns; 0: for good */
	__u64 last_heartbeat;	  /* CLOCK_MONOTONIC, ns; 0: none is expected */
	__u64 timer_period;	  /* of the timers of lkst_tick(), ns; 0: they stop */
	__u64 lost_notices;	  /* notices for which there was no room */
	__u64 failed_switches;	  /* switches of the buffer that found no spare one */
	__u64 tasks_not_followed; /* new tasks for which lkst_followed had no room */
	__u32 active_rules;	  /* index of the rules that count: 0 or 1 */
	__u32 follow_children;	  /* masksets that follow new processes too, one bit for each */
	__u32 first_buffer;	  /* index of the buffer in lkst_ring; LKST_MAX_BUFFERS: none */
	__u32 unused;		  /* until ABI 2.1: whether lkst_cpu has the current thread */
	__u32 reserved[10];
	struct lkst_buffer buffer[LKST_MAX_BUFFERS];

	/* By maskset: for each event enum lkst_handler, and which histogram LKST_HIST counts. */
	__u8 handler[LKST_MAX_MASKSETS][LKST_MAX_EVENTS];
	__u8 handler_argument[LKST_MAX_MASKSETS][LKST_MAX_EVENTS];
	char maskset_name[LKST_MAX_MASKSETS][LKST_NAME_SIZE]; /* "": free */
	struct lkst_filter filter[LKST_MAX_MASKSETS];

	__u8 subject_offset[LKST_MAX_EVENTS]; /* of the pid that an event is about; 0xff: none */
	__u8 event_state[LKST_MAX_EVENTS];    /* enum lkst_state */
	__u32 prog_id[LKST_MAX_EVENTS];	      /* of the BPF program, 0: none */
	char user_handler[LKST_MAX_USER][LKST_NAME_SIZE]; /* names; "": free */
	struct lkst_hist hist[LKST_MAX_HISTS];
	struct lkst_trigger trigger[LKST_MAX_TRIGGERS];
	struct lkst_rules rules[2];
	struct lkst_clock clock; /* since ABI 2.2 */
};

/* A notice to user space from a trigger or a handler, in the ring buffer lkst_notices. */
struct lkst_notice {
	__u32 trigger; /* LKST_MAX_TRIGGERS + n: user's handler n */
	__u32 actions;
	struct lkst_slot record;
};

/*
 * The catalogue: a header, then an entry for each event, in the order of their ids from 1
 * on. Places for probes follow the events of this software. No entry crosses a page, and
 * each has the tag, so a reader can put them together without page tables. A place without
 * the magic is free: the magic is written last and cleared first, so nobody sees half an
 * entry.
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
	__u64 start;	    /* CLOCK_MONOTONIC, ns, when the recorder was loaded */
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

/* The fields follow each other in the payload, without holes. */
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
	/* Of a probe: when it was added, and when it was removed; 0: not yet. */
	__u64 since; /* CLOCK_MONOTONIC, ns */
	__u64 until;
	char enums[184]; /* names of the types of enum and flags fields, in order, with spaces */
} __attribute__((aligned(LKST_ENTRY_SIZE)));

#endif
