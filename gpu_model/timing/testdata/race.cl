/* Work-items of all work-groups race for few words: tickets from counters, exchanges, compare-and-exchange chains, and plain stores.
   What each of them sees depends on the order in which the GPU carries them out. seen has 4 · rounds words a work-item. */
__kernel void race(__global uint *shared, __global uint *seen, uint rounds) {
  uint id = get_global_id(0);
  for (uint r = 0; r < rounds; r++) {
    __global uint *mine = seen + (id * rounds + r) * 4u;
    mine[0] = atomic_inc(shared + (id & 3u) * 64u);
    mine[1] = atomic_xchg(shared + 256, id * rounds + r);
    mine[2] = atomic_cmpxchg(shared + 320, mine[1], id);
    shared[384 + (r & 15u)] = id;
    mine[3] = shared[384 + ((r + id) & 15u)];
  }
}
