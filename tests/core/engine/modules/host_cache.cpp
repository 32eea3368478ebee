// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/core/engine/modules/host_cache.h"

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <optional>
#include <vector>

#include "core/row_math/row_math.h"
#include "kernels/attention_decode.h"
#include "kernels/attention_prefill.h"
#include "tests/core/engine/modules/host_memory.h"

struct natscope::kernels::DeviceCache {
  std::unique_ptr<KvCache> cache;
  std::vector<std::int32_t> next;  // position of the next token of each layer
  std::int64_t promised = 0;       // appended tokens · layers that reserve_cache allows
  std::optional<ScoreRule> rule;
  std::vector<bool> attended, appended;  // with a rule: what each layer has had of its token
};

namespace natscope::test::host {

using kernels::Backend;
using kernels::KvCache;
using kernels::StatusCode;

namespace {

KvCache& kept(DeviceCache* cache) { return *cache->cache; }

/// Whether entries may go after every token, which so come in turns.
bool takes_turns(const DeviceCache& host) {
  return host.rule && host.rule->scores != kernels::EntryScores::of_prompt_end;
}

bool holds(const KvCache& cache, LayerId layer, KvHeadId head, std::int32_t position) {
  for (std::int64_t index = 0; index < cache.page_count(layer, head); ++index) {
    const kernels::KvPage page = cache.page(layer, head, index);
    if (std::find(page.positions, page.positions + page.count, position) != page.positions + page.count) return true;
  }
  return false;
}

template <class T>
View<T, 2> only_token(const View<T, 3>& rows) {
  return {rows.data, {rows.size(0), rows.size(2)}, {rows.stride(0), rows.stride(2)}};
}

}  // namespace

Status create_cache(OpenedDevice*, const kernels::KvCacheShape* shape, std::int64_t, DeviceCache** cache) {
  if (std::getenv("NATSCOPE_TEST_SMALL_DEVICE") != nullptr)
    return {StatusCode::unsupported_shape, "heads of this size do not fit it"};
  auto made = std::make_unique<DeviceCache>();
  made->next.resize(static_cast<std::size_t>(shape->layers));
  made->attended.resize(made->next.size());
  made->appended.resize(made->next.size());
  if (const Status status = KvCache::create(*shape, made->cache); !status.ok()) return status;
  *cache = made.release();
  return ok;
}

void free_cache(OpenedDevice*, DeviceCache* cache) { delete cache; }

Status reset_cache(OpenedDevice* device, DeviceCache* cache, std::int64_t window, const kernels::ScoreRule* rule) {
  ++device->moves;
  if (std::getenv("NATSCOPE_TEST_NO_CACHE_MEMORY") != nullptr) return {StatusCode::out_of_memory, "no memory left"};
  DeviceCache& host = *cache;
  std::fill(host.next.begin(), host.next.end(), 0);
  std::fill(host.attended.begin(), host.attended.end(), false);
  std::fill(host.appended.begin(), host.appended.end(), false);
  host.rule.reset();
  if (rule != nullptr) host.rule = *rule;
  kept(cache).reset(window, rule != nullptr);
  return ok;
}

Status reserve_cache(OpenedDevice* device, DeviceCache* cache, std::int64_t tokens, std::int64_t layers) {
  if (is_short_of_memory(device)) return {StatusCode::out_of_memory, "slabs are idle elsewhere"};
  cache->promised = tokens * layers;
  return ok;
}

Status append(OpenedDevice* device, DeviceCache* cache, std::int32_t layer, std::int32_t first,
              const ConstView<Role, 2>* roles, const ConstView<float, 3>* keys, const ConstView<float, 3>* values) {
  if (!owns(device, *roles) || !owns(device, *keys) || !owns(device, *values)) return foreign;
  const std::int64_t n = roles->size(1);
  DeviceCache& host = *cache;
  const auto place = static_cast<std::size_t>(layer);
  if (takes_turns(host) && (n != 1 || !host.attended[place] || host.appended[place]))
    return {StatusCode::invalid_argument, "an append out of its turn"};
  host.appended[place] = true;
  std::int64_t& promised = host.promised;
  if (promised < n) return {StatusCode::invalid_argument, "an append that was not reserved"};
  promised -= n;
  for (std::int32_t head = 0; head < roles->size(0); ++head) {
    const auto part = [&](const ConstView<float, 3>& rows) {
      return ConstView<float, 2>{&rows(head, 0, 0), {n, rows.size(2)}, {rows.stride(1), 1}};
    };
    const Status status =
        kept(cache).append(LayerId(layer), KvHeadId(head), TokenPos(first),
                           {&(*roles)(head, 0), static_cast<std::size_t>(n)}, part(*keys), part(*values));
    if (!status.ok()) return status;
  }
  host.next[place] = first + static_cast<std::int32_t>(n);
  return ok;
}

Status append_token(OpenedDevice* device, DeviceCache* cache, const ConstView<Role, 2>* roles,
                    const ConstView<float, 3>* keys, const ConstView<float, 3>* values) {
  for (std::int32_t layer = 0; layer < roles->size(0); ++layer) {
    const auto of_layer = [&](const ConstView<float, 3>& rows) {
      return ConstView<float, 3>{
          &rows(layer, 0, 0), {rows.size(1), 1, rows.size(2)}, {rows.stride(1), rows.size(2), 1}};
    };
    const ConstView<Role, 2> role{&(*roles)(layer, 0), {roles->size(1), 1}, {roles->stride(1), 1}};
    const ConstView<float, 3> key = of_layer(*keys);
    const ConstView<float, 3> value = of_layer(*values);
    const std::int32_t first = cache->next[static_cast<std::size_t>(layer)];
    if (const Status status = append(device, cache, layer, first, &role, &key, &value); !status.ok()) return status;
  }
  return ok;
}

Status keep_by_scores(OpenedDevice* device, DeviceCache* cache, const kernels::TokenDrops* call) {
  if (!owns(device, call->self_scores) || !owns(device, call->prescribed) || !owns(device, call->dropped) ||
      !owns(device, call->held)) {
    return foreign;
  }
  DeviceCache& host = *cache;
  if (!takes_turns(host)) return {StatusCode::invalid_argument, "no scores are kept by which one goes"};
  for (std::int32_t of_call = 0; of_call < call->dropped.size(0); ++of_call) {
    const LayerId layer(call->layer + of_call);
    const auto place = static_cast<std::size_t>(layer.value);
    if (!host.appended[place]) return {StatusCode::invalid_argument, "drops out of their turn"};
    host.attended[place] = host.appended[place] = false;
    const TokenPos now(host.next[place] - 1);
    const auto set = [&](std::int32_t index, std::int32_t position, float score) {
      if (holds(kept(cache), layer, KvHeadId(index), position))
        static_cast<void>(kept(cache).set_score(layer, KvHeadId(index), TokenPos(position), score));
    };
    const std::int32_t heads = static_cast<std::int32_t>(call->dropped.size(1));
    for (std::int32_t index = 0; index < heads; ++index) set(index, now.value, call->self_scores(of_call, index));
    const bool are_shared = host.rule->scores == kernels::EntryScores::of_last_query;
    if (are_shared) {
      if (const Status status = kept(cache).share_scores(layer); !status.ok()) return status;
    }
    for (std::int32_t index = 0; index < heads; ++index) {
      const KvHeadId head(index);
      set(index, call->prescribed(of_call, index), -1);
      std::vector<TokenPos> dropped;
      const Status status = kept(cache).keep_by_scores(layer, head, now, host.rule->heavy, host.rule->recent, &dropped);
      if (!status.ok()) return status;
      if (dropped.size() > 1) return {StatusCode::invalid_argument, "more than one entry went"};
      call->dropped(of_call, index) = dropped.empty() ? kernels::no_drop : dropped[0].value;
      call->held(of_call, index) = static_cast<std::int32_t>(kept(cache).entries(layer, head));
    }
    if (are_shared) static_cast<void>(kept(cache).clear_scores(layer));
  }
  return ok;
}

Status drop_entries(OpenedDevice* device, DeviceCache* cache, const kernels::EntryDrops* call) {
  if (!owns(device, call->kept) || !owns(device, call->moves) || !owns(device, call->from) || !owns(device, call->to))
    return foreign;
  for (std::int32_t of_call = 0; of_call < call->kept.size(0); ++of_call) {
    const LayerId layer(call->layer + of_call);
    for (std::int32_t index = 0; index < call->kept.size(1); ++index) {
      const KvHeadId head(index);
      const std::int32_t moves = call->moves(of_call, index);
      std::vector<bool> stays(static_cast<std::size_t>(kept(cache).entries(layer, head)));
      std::fill_n(stays.begin(), call->kept(of_call, index), true);
      for (std::int32_t move = 0; move < moves; ++move) {
        stays.at(static_cast<std::size_t>(call->to(of_call, index, move))) = false;
        stays.at(static_cast<std::size_t>(call->from(of_call, index, move))) = true;
      }
      std::vector<TokenPos> gone;
      std::size_t slot = 0;
      for (std::int64_t at = 0; at < kept(cache).page_count(layer, head); ++at) {
        const kernels::KvPage page = kept(cache).page(layer, head, at);
        for (std::int32_t entry = 0; entry < page.count; ++entry, ++slot) {
          if (!stays[slot]) gone.emplace_back(page.positions[entry]);
        }
      }
      if (const Status status = kept(cache).drop(layer, head, gone); !status.ok()) return status;
      if (kept(cache).entries(layer, head) != call->kept(of_call, index))
        return {StatusCode::invalid_argument, "moves that do not fit what stays"};
    }
  }
  return ok;
}

Status read_scores(OpenedDevice* device, DeviceCache* cache, std::int32_t layer, const View<float, 2>* to_host) {
  if (!cache->rule) return {StatusCode::invalid_argument, "no scores are kept"};
  if (owns(device, *to_host)) return {StatusCode::invalid_argument, "scores are read to the host"};
  for (std::int32_t head = 0; head < to_host->size(0); ++head) {
    std::int64_t slot = 0;
    for (std::int64_t index = 0; index < kept(cache).page_count(LayerId(layer), KvHeadId(head)); ++index) {
      const kernels::KvPage page = kept(cache).page(LayerId(layer), KvHeadId(head), index);
      for (std::int32_t entry = 0; entry < page.count && slot < to_host->size(1); ++entry, ++slot)
        (*to_host)(head, slot) = page.scores[entry];
    }
    if (slot < to_host->size(1)) return {StatusCode::invalid_argument, "more scores than there are entries"};
  }
  return ok;
}

Status end_appends(OpenedDevice*, DeviceCache*) { return ok; }

Status cache_counts(OpenedDevice*, DeviceCache* cache, kernels::DeviceCacheCounts* counts) {
  *counts = {kept(cache).total_entries(), kept(cache).allocated_bytes()};
  return ok;
}

Status attention(OpenedDevice* device, DeviceCache* cache, std::int32_t layer, std::int32_t first,
                 const ConstView<float, 3>* queries, const ConstView<float, 3>* keys, const ConstView<float, 3>* values,
                 const ConstView<Role, 2>* roles, bool round, const View<float, 3>* out, const View<float, 2>* lse,
                 float* self_scores) {
  if (queries->size(1) > 1 && is_short_of_memory(device))
    return {StatusCode::out_of_memory, "scratch is idle elsewhere"};
  if (!owns(device, *queries) || !owns(device, *keys) || !owns(device, *values) || !owns(device, *roles) ||
      !owns(device, *out) || !owns(device, *lse)) {
    return foreign;
  }
  DeviceCache& host = *cache;
  const std::int64_t kv_heads = keys->size(0);
  const bool takes_scores = self_scores != nullptr;
  if ((takes_turns(host) ? !takes_scores : takes_scores && !host.rule) || (takes_scores && queries->size(1) != 1) ||
      (takes_scores && !owns(device, self_scores, kv_heads))) {
    return {StatusCode::invalid_argument, "scores where none are kept, or none where they are"};
  }
  if (takes_turns(host) && host.attended[static_cast<std::size_t>(layer)])
    return {StatusCode::invalid_argument, "attention out of its turn"};
  host.attended[static_cast<std::size_t>(layer)] = true;
  const Status status =
      queries->size(1) == 1
          ? kernels::attention_decode(Backend::cpu, only_token(*queries), only_token(*keys), only_token(*values),
                                      kept(cache), LayerId(layer), only_token(*out),
                                      {lse->data, static_cast<std::size_t>(lse->size(0))},
                                      {self_scores, self_scores == nullptr ? 0 : static_cast<std::size_t>(kv_heads)})
          : kernels::attention_prefill(Backend::cpu, *queries, *keys, *values, *roles, kept(cache), LayerId(layer),
                                       TokenPos(first), *out, *lse);
  if (status.ok() && round) row_math::round_to_bf16(out->data, out->size(0) * out->size(1) * out->size(2));
  return status;
}

}  // namespace natscope::test::host
