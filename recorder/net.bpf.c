// SPDX-License-Identifier: GPL-2.0-or-later
/* Category net: include/trace/events/{net,skb,napi,sock,tcp,udp}.h */
#include <bpf/bpf_endian.h>

#include "record.h"

SEC("tp_btf/net_dev_xmit")
int BPF_PROG(net_dev_xmit, struct sk_buff *skb, int rc, struct net_device *dev, unsigned int len)
{
	RECORD(net_dev_xmit, e);
	/* The driver may have freed the packet: only its address is of use. */
	e->skb = (__u64)skb;
	copy_name(e->dev, dev);
	e->len = len;
	e->rc = rc;
	COMMIT();
	return 0;
}

SEC("tp_btf/netif_receive_skb")
int BPF_PROG(netif_receive_skb, struct sk_buff *skb)
{
	RECORD(netif_receive_skb, e);
	e->skb = (__u64)skb;
	copy_name(e->dev, skb->dev);
	e->len = skb->len;
	e->protocol = bpf_ntohs(skb->protocol);
	COMMIT();
	return 0;
}

SEC("tp_btf/kfree_skb")
int BPF_PROG(kfree_skb, struct sk_buff *skb, void *location, unsigned int reason)
{
	RECORD(kfree_skb, e);
	e->skb = (__u64)skb;
	e->location = (__u64)location;
	e->reason = reason;
	e->protocol = bpf_ntohs(skb->protocol);
	COMMIT();
	return 0;
}

SEC("tp_btf/consume_skb")
int consume_skb(__u64 *ctx)
{
	RECORD(consume_skb, e);
	e->skb = ctx[0];
	e->location = 0;
	if (bpf_core_field_exists(struct trace_event_raw_consume_skb, location))
		e->location = ctx[1];
	COMMIT();
	return 0;
}

SEC("tp_btf/napi_poll")
int BPF_PROG(napi_poll, struct napi_struct *napi, int work, int budget)
{
	RECORD(napi_poll, e);
	e->napi = (__u64)napi;
	copy_name(e->dev, napi->dev);
	e->work = work;
	e->budget = budget;
	COMMIT();
	return 0;
}

SEC("tp_btf/net_dev_xmit_timeout")
int BPF_PROG(net_dev_xmit_timeout, struct net_device *dev, int queue)
{
	RECORD(net_dev_xmit_timeout, e);
	copy_name(e->dev, dev);
	e->queue = queue;
	COMMIT();
	return 0;
}

/* A socket that is being closed has no skc_num, but still has inet_sport. */
static __always_inline __u16 source_port(const struct sock *sk)
{
	__u16 port = BPF_CORE_READ(sk, __sk_common.skc_num);

	return port ? port : bpf_ntohs(BPF_CORE_READ((const struct inet_sock *)sk, inet_sport));
}

#define FILL_ENDS(e, of)                                                                           \
	do {                                                                                       \
		(e)->sk = (__u64)(of);                                                             \
		(e)->saddr = BPF_CORE_READ(of, __sk_common.skc_rcv_saddr);                         \
		(e)->daddr = BPF_CORE_READ(of, __sk_common.skc_daddr);                             \
		(e)->sport = source_port(of);                                                      \
		(e)->dport = bpf_ntohs(BPF_CORE_READ(of, __sk_common.skc_dport));                  \
		(e)->family = BPF_CORE_READ(of, __sk_common.skc_family);                           \
	} while (0)

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(inet_sock_set_state, const struct sock *sk, int oldstate, int newstate)
{
	RECORD(inet_sock_set_state, e);
	FILL_ENDS(e, sk);
	e->protocol = BPF_CORE_READ(sk, sk_protocol);
	e->oldstate = oldstate;
	e->newstate = newstate;
	COMMIT();
	return 0;
}

SEC("tp_btf/tcp_retransmit_skb")
int BPF_PROG(tcp_retransmit_skb, const struct sock *sk, const void *skb)
{
	RECORD(tcp_retransmit_skb, e);
	FILL_ENDS(e, sk);
	e->skb = (__u64)skb;
	e->state = BPF_CORE_READ(sk, __sk_common.skc_state);
	COMMIT();
	return 0;
}

/* Read the ends of a connection without a socket from the packet that came for it. */
static __always_inline void read_ends(struct lkst_tcp_send_reset *e, const struct sk_buff *skb)
{
	const unsigned char *head = BPF_CORE_READ(skb, head);
	__be32 ip[5] = {}; /* struct iphdr */
	__be16 ports[2] = {};

	bpf_probe_read_kernel(ip, sizeof(ip), head + BPF_CORE_READ(skb, network_header));
	bpf_probe_read_kernel(ports, sizeof(ports), head + BPF_CORE_READ(skb, transport_header));
	e->sport = bpf_ntohs(ports[1]);
	e->dport = bpf_ntohs(ports[0]);
	if (bpf_ntohl(ip[0]) >> 28 == 4) {
		e->family = AF_INET;
		e->saddr = ip[4];
		e->daddr = ip[3];
	} else {
		e->family = AF_INET6;
		e->saddr = e->daddr = 0;
	}
}

/* A raw tracepoint: @sk may be NULL, which the verifier of older kernels does not know. */
SEC("raw_tp/tcp_send_reset")
int BPF_PROG(tcp_send_reset, const struct sock *sk, const struct sk_buff *skb)
{
	RECORD(tcp_send_reset, e);
	FILL_ENDS(e, sk);
	e->state = BPF_CORE_READ(sk, __sk_common.skc_state);
	if (!sk || e->state == TCP_LISTEN)
		read_ends(e, skb);
	COMMIT();
	return 0;
}

SEC("tp_btf/tcp_receive_reset")
int BPF_PROG(tcp_receive_reset, const struct sock *sk)
{
	RECORD(tcp_receive_reset, e);
	FILL_ENDS(e, sk);
	e->state = BPF_CORE_READ(sk, __sk_common.skc_state);
	COMMIT();
	return 0;
}

SEC("tp_btf/sock_rcvqueue_full")
int BPF_PROG(sock_rcvqueue_full, const struct sock *sk, const struct sk_buff *skb)
{
	RECORD(sock_rcvqueue_full, e);
	e->sk = (__u64)sk;
	e->rmem_alloc = BPF_CORE_READ(sk, sk_backlog.rmem_alloc.counter);
	e->rcvbuf = BPF_CORE_READ(sk, sk_rcvbuf);
	e->truesize = BPF_CORE_READ(skb, truesize);
	e->sport = BPF_CORE_READ(sk, __sk_common.skc_num);
	e->family = BPF_CORE_READ(sk, __sk_common.skc_family);
	e->protocol = BPF_CORE_READ(sk, sk_protocol);
	COMMIT();
	return 0;
}

SEC("tp_btf/udp_fail_queue_rcv_skb")
int BPF_PROG(udp_fail_queue_rcv_skb, int rc, const struct sock *sk)
{
	RECORD(udp_fail_queue_rcv_skb, e);
	e->sk = (__u64)sk;
	e->rc = rc;
	e->sport = BPF_CORE_READ(sk, __sk_common.skc_num);
	e->family = BPF_CORE_READ(sk, __sk_common.skc_family);
	COMMIT();
	return 0;
}
