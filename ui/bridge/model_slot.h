// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <optional>

#include "core/protocol/messages.h"

namespace natscope::ui {

/// Which model is open, which one is to be opened, and which one the engine has. What is refused leaves the open one
/// as it is, and says whether the engine has to open that again.
class ModelSlot {
 public:
  /// A request to open that is to be sent.
  struct Opening {
    OpenMessage request;
    std::uint64_t generation = 0;  ///< that it was asked for in; nothing where it opens what is shown already
    bool isAgain = false;          ///< it opens the open model in another engine, or after one that was refused
  };

  /// The open model. It stays open while another one is being opened, and where engines come and go.
  [[nodiscard]] const std::optional<ModelDescription>& model() const { return model_; }
  /// The request that first opened it.
  [[nodiscard]] std::uint64_t openedBy() const { return openedBy_; }

  /// Another one is to be opened.
  const Opening& want(const OpenMessage& request, std::uint64_t generation) {
    return opening_.emplace(Opening{request, generation, false});
  }
  /// What an engine that has nothing is to open: the one that is wanted, or the open one again.
  [[nodiscard]] const std::optional<Opening>& openingInANewEngine();
  /// The open one, which the engine let go of for one that then failed.
  const Opening& openAgain();
  /// The opening was sent under this id.
  void wasSent(std::uint64_t id) { sentAs_ = id; }

  enum class Opened { another, again, outOfDate };  ///< the last: one that was asked for before the latest
  /// What it is that was asked for under this id.
  [[nodiscard]] Opened whatOpened(std::uint64_t id) const;
  /// The engine opened it; model() is `model` unless it is out of date.
  void opened(std::uint64_t id, const ModelDescription& model);
  /// The checksum of weights that were opened under this id. False where that is not the latest.
  bool identified(std::uint64_t id, const std::string& sha256);

  enum class Refused { stays, mustOpenAgain, nothingIsLeft, outOfDate };
  /// The engine refused to open one; `stands`: what it had open before it still has.
  Refused refused(std::uint64_t id, bool stands);
  /// The one to be opened is given up. False where nothing is left that could be: then forget().
  bool giveUp();

  /// An engine is gone.
  void engineIsGone() { isInEngine_ = false; }
  /// None is open, nor to be opened.
  void forget();

 private:
  std::optional<Opening> opening_;       // that was neither opened nor refused
  std::optional<OpenMessage> openedAs_;  // as model_ was asked for; both or none
  std::optional<ModelDescription> model_;
  std::uint64_t openedBy_ = 0;
  std::uint64_t sentAs_ = 0;  // the latest request to open
  bool isInEngine_ = false;   // what the engine has open is what was asked for last
};

}  // namespace natscope::ui
