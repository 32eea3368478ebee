// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/bridge/model_slot.h"

#include <utility>

namespace natscope::ui {

const std::optional<ModelSlot::Opening>& ModelSlot::openingInANewEngine() {
  if (!opening_ && openedAs_) opening_ = Opening{*openedAs_, 0, true};
  return opening_;
}

const ModelSlot::Opening& ModelSlot::openAgain() { return opening_.emplace(Opening{*openedAs_, 0, true}); }

ModelSlot::Opened ModelSlot::whatOpened(std::uint64_t id) const {
  if (id != sentAs_ || !opening_) return Opened::outOfDate;
  return opening_->isAgain ? Opened::again : Opened::another;
}

void ModelSlot::opened(std::uint64_t id, const ModelDescription& model) {
  // Of one that is out of date the engine has the wrong one: should the latest be refused, it opens the old one again.
  const Opened what = whatOpened(id);
  isInEngine_ = what != Opened::outOfDate;
  if (!isInEngine_) return;
  // What the old engine knew about the same weights is still true.
  const std::string sha256 = what == Opened::again ? model_->sha256 : std::string();
  model_ = model;
  if (model_->sha256.empty()) model_->sha256 = sha256;
  openedAs_ = std::exchange(opening_, std::nullopt)->request;
  if (what == Opened::another) openedBy_ = id;
}

bool ModelSlot::identified(std::uint64_t id, const std::string& sha256) {
  // It may come long after, when another model is open.
  if (!model_ || id != sentAs_) return false;
  model_->sha256 = sha256;
  return true;
}

ModelSlot::Refused ModelSlot::refused(std::uint64_t id, bool stands) {
  if (id != sentAs_) return Refused::outOfDate;
  if (!giveUp()) return Refused::nothingIsLeft;
  return stands && isInEngine_ ? Refused::stays : Refused::mustOpenAgain;
}

bool ModelSlot::giveUp() {
  const bool wasAgain = opening_ && opening_->isAgain;
  opening_.reset();
  // The open one that was refused is not tried once more.
  return openedAs_ && !wasAgain;
}

void ModelSlot::forget() {
  opening_.reset();
  openedAs_.reset();
  model_.reset();
}

}  // namespace natscope::ui
