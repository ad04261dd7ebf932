// SPDX-License-Identifier: GPL-2.0-or-later
/* Category net: include/trace/events/{net,skb}.h */
#include <bpf/bpf_endian.h>

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
