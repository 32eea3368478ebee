// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/ranks/nccl_all_reduce.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <utility>

#include "core/base/shared_library.h"

namespace natscope::train {

namespace {

// Names and numbers as nccl.h has them.
using ncclComm_t = struct ncclComm*;
struct ncclUniqueId {
  std::array<char, 128> internal;
};
constexpr int ncclSuccess = 0;
constexpr int ncclFloat32 = 7;
constexpr int ncclSum = 0;

/// The library's functions; those that return an int say ncclSuccess or what went wrong.
struct Nccl {
  const char* (*error_string)(int result);
  int (*get_unique_id)(ncclUniqueId* id);
  int (*comm_init_rank)(ncclComm_t* comm, int ranks, ncclUniqueId id, int rank);
  int (*all_reduce)(const void* from, void* to, std::size_t count, int type, int operation, ncclComm_t comm,
                    void* stream);
  int (*comm_destroy)(ncclComm_t comm);
  int (*comm_abort)(ncclComm_t comm);

  [[nodiscard]] static Expected<Nccl> load(const std::filesystem::path& path) {
    NATSCOPE_TRY(const SharedLibrary library, SharedLibrary::open(path));
    Nccl nccl{};
    const auto find = [&library](const char* name, auto& function) -> Expected<void> {
      using Function = std::remove_pointer_t<std::remove_reference_t<decltype(function)>>;
      NATSCOPE_TRY(function, library.function<Function>(name));
      return {};
    };
    NATSCOPE_CHECK(find("ncclGetErrorString", nccl.error_string));
    NATSCOPE_CHECK(find("ncclGetUniqueId", nccl.get_unique_id));
    NATSCOPE_CHECK(find("ncclCommInitRank", nccl.comm_init_rank));
    NATSCOPE_CHECK(find("ncclAllReduce", nccl.all_reduce));
    NATSCOPE_CHECK(find("ncclCommDestroy", nccl.comm_destroy));
    NATSCOPE_CHECK(find("ncclCommAbort", nccl.comm_abort));
    return nccl;
  }

  [[nodiscard]] Expected<void> checked(int result, ErrorCode code, const char* what, const char* hint) const {
    if (result == ncclSuccess) return {};
    return fail(code, std::string("NCCL, ") + what + ": " + error_string(result), hint);
  }
};

/// Each byte as a number: what ranks share are numbers.
Expected<void> broadcast(RankGroup& ranks, ncclUniqueId& id) {
  std::array<float, sizeof(id.internal)> bytes{};
  std::transform(id.internal.begin(), id.internal.end(), bytes.begin(),
                 [](char byte) { return static_cast<float>(static_cast<unsigned char>(byte)); });
  NATSCOPE_CHECK(ranks.broadcast(bytes));
  std::transform(bytes.begin(), bytes.end(), id.internal.begin(),
                 [](float byte) { return static_cast<char>(static_cast<unsigned char>(byte)); });
  return {};
}

class NcclAllReduce final : public DeviceAllReduce {
 public:
  NcclAllReduce(const Nccl& nccl, ncclComm_t comm, std::unique_ptr<SideStream> side)
      : nccl_(nccl), comm_(comm), side_(std::move(side)) {}

  ~NcclAllReduce() override {
    // A sum that another rank does not come to would never end, and destroying waits for it.
    const bool idle = side_->is_idle();
    static_cast<void>(idle ? nccl_.comm_destroy(comm_) : nccl_.comm_abort(comm_));
  }

  [[nodiscard]] Expected<void> begin(float* numbers, std::int64_t count) override {
    NATSCOPE_CHECK(side_->wait_for_computing());
    return nccl_.checked(nccl_.all_reduce(numbers, numbers, static_cast<std::size_t>(count), ncclFloat32, ncclSum,
                                          comm_, side_->handle()),
                         ErrorCode::io_failure, "a sum over ranks", "see whether a rank has ended");
  }

  [[nodiscard]] Expected<void> finish() override { return side_->let_computing_wait(); }

 private:
  Nccl nccl_;
  ncclComm_t comm_;
  std::unique_ptr<SideStream> side_;
};

}  // namespace

Expected<std::unique_ptr<DeviceAllReduce>> nccl_all_reduce(RankGroup& ranks, std::unique_ptr<SideStream> side,
                                                           const std::filesystem::path& library) {
  const auto nccl = Nccl::load(library);
  ncclUniqueId id{};
  int made = ncclSuccess;
  if (nccl && ranks.leads()) made = nccl->get_unique_id(&id);
  // Nobody may wait below for one that cannot come.
  NATSCOPE_TRY(const bool all_can, ranks.all_reduce_and(nccl.has_value() && made == ncclSuccess));
  if (!nccl) {
    return fail(ErrorCode::device_unavailable,
                "several ranks on GPUs, and NCCL cannot be loaded: " + nccl.error().message,
                "use a LibTorch with CUDA and its libraries, one process, or --device cpu");
  }
  NATSCOPE_CHECK(nccl->checked(made, ErrorCode::device_unavailable, "its identifier", "look at its network settings"));
  if (!all_can) return fail(ErrorCode::device_unavailable, "another rank cannot use NCCL");
  NATSCOPE_CHECK(broadcast(ranks, id));
  ncclComm_t comm = nullptr;
  NATSCOPE_CHECK(nccl->checked(nccl->comm_init_rank(&comm, ranks.size(), id, ranks.rank()),
                               ErrorCode::device_unavailable, "joining the ranks",
                               "each rank needs a GPU of its own; NCCL_DEBUG=WARN in the environment says more"));
  return std::make_unique<NcclAllReduce>(*nccl, comm, std::move(side));
}

}  // namespace natscope::train
