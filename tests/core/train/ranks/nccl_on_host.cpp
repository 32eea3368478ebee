// SPDX-License-Identifier: GPL-3.0-or-later
// A library with NCCL's names, for ranks that are threads and streams that are lists: sums come when a stream works.
#include "tests/core/train/ranks/nccl_on_host.h"

#include <algorithm>
#include <array>
#include <barrier>
#include <cstddef>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace {

using natscope::test::CommunicatorEnds;
using natscope::test::HostStream;

struct UniqueId {
  std::array<char, 128> internal;
};

struct Meeting {
  explicit Meeting(int size) : all_here(size), parts(static_cast<std::size_t>(size)) {}
  std::barrier<> all_here;
  std::vector<const float*> parts;
};

struct Communicator {
  std::shared_ptr<Meeting> meeting;
  std::size_t rank;
};

std::mutex guard;
std::map<std::string, std::shared_ptr<Meeting>> meetings;
CommunicatorEnds ends;
int ids = 0;

constexpr int success = 0;
constexpr int invalid_argument = 4;

}  // namespace

#define EXPORTED extern "C" __attribute__((visibility("default")))

EXPORTED CommunicatorEnds* nccl_on_host_ends() { return &ends; }

EXPORTED const char* ncclGetErrorString(int result) {
  return result == success ? "no error" : result == invalid_argument ? "invalid argument" : "unknown result code";
}

EXPORTED int ncclGetUniqueId(UniqueId* id) {
  const std::scoped_lock lock(guard);
  // Every byte has a value of its own, those beyond 127 among them: one that gets lost on the way is noticed.
  for (std::size_t i = 0; i < id->internal.size(); ++i) id->internal[i] = static_cast<char>(255 - i);
  id->internal[0] = static_cast<char>(++ids);
  return success;
}

EXPORTED int ncclCommInitRank(Communicator** made, int size, UniqueId id, int rank) {
  if (size > natscope::test::most_ranks || rank < 0 || rank >= size) return invalid_argument;
  for (std::size_t i = 1; i < id.internal.size(); ++i) {
    if (id.internal[i] != static_cast<char>(255 - i)) return invalid_argument;
  }
  std::shared_ptr<Meeting> meeting;
  {
    const std::scoped_lock lock(guard);
    auto& found = meetings[std::string(id.internal.data(), id.internal.size())];
    if (!found) found = std::make_shared<Meeting>(size);
    meeting = found;
  }
  *made = new Communicator{meeting, static_cast<std::size_t>(rank)};
  meeting->all_here.arrive_and_wait();
  return success;
}

EXPORTED int ncclAllReduce(const void* from, void* to, std::size_t count, int type, int operation, Communicator* comm,
                           HostStream* stream) {
  if (type != 7 || operation != 0) return invalid_argument;  // f32, sum
  stream->waiting.emplace_back([=] {
    Meeting& meeting = *comm->meeting;
    meeting.parts[comm->rank] = static_cast<const float*>(from);
    meeting.all_here.arrive_and_wait();
    std::vector<float> sum(count, 0.0F);
    for (const float* part : meeting.parts)
      std::transform(part, part + count, sum.begin(), sum.begin(), [](float a, float b) { return a + b; });
    meeting.all_here.arrive_and_wait();
    std::copy(sum.begin(), sum.end(), static_cast<float*>(to));
  });
  return success;
}

EXPORTED int ncclCommDestroy(Communicator* comm) {
  const std::scoped_lock lock(guard);
  ++ends.destroyed;
  delete comm;
  return success;
}

EXPORTED int ncclCommAbort(Communicator* comm) {
  const std::scoped_lock lock(guard);
  ++ends.aborted;
  delete comm;
  return success;
}
