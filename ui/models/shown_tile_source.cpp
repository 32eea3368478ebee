// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/shown_tile_source.h"

#include "core/session/trace_sequence.h"
#include "ui/models/elsewhere.h"
#include "ui/models/grouped_number.h"

namespace natscope::ui {

ShownTileSource::ShownTileSource(EngineClient& client, ShownRecording recording, QObject* parent)
    : TileSource(parent), client_(client), engine_(client), recording_(std::move(recording)), recorded_(keptTiles) {
  connect(&engine_, &TileSource::arrived, this, [this](const TileKey& key) {
    reading_.clear();
    Q_EMIT arrived(key);
  });
  connect(&client_, &EngineClient::progress, this, [this](ProgressPhase phase, qint64 done, qint64 total, double) {
    if (phase != ProgressPhase::replay) return;
    reading_ = tr("There was no room to keep this layer’s keys: the text is read once more for it, %1 of %2 tokens.")
                   .arg(groupedNumber(done), groupedNumber(total));
    Q_EMIT waits();
  });
  connect(&engine_, &TileSource::reset, this, [this] {
    ++generation_;
    recorded_.clear();
    computing_.clear();
    later_.clear();
    comparedLater_ = {};
    isComputingLater_ = false;
    reading_.clear();
    Q_EMIT reset();
  });
  connect(&engine_, &TileSource::arrivedLater, this, &TileSource::arrivedLater);
}

std::shared_ptr<const AttentionTile> ShownTileSource::tile(const TileKey& key) {
  const auto recording = recording_();
  if (!recording) return engine_.tile(key);
  if (const auto* const found = recorded_.find(key)) return *found;
  if (recording->hasMap({key.layer, key.head})) compute(recording, key);
  return nullptr;
}

std::shared_ptr<const AttentionTile> ShownTileSource::cached(const TileKey& key) const {
  if (!recording_()) return engine_.cached(key);
  const auto* const found = recorded_.peek(key);
  return found == nullptr ? nullptr : *found;
}

QString ShownTileSource::whyNoMap(LayerId layer, HeadId head) const {
  const auto recording = recording_();
  if (recording) return recording->whyNoMap({layer, head});
  return client_.isOfAnotherModel() ? tr("Another model made this run. Its maps can be drawn when that model is open.")
                                    : QString();
}

QString ShownTileSource::whyNoTiles() const {
  if (recording_()) return {};
  if (client_.knowsSequence()) return reading_;
  // One that is being started, or that reads the text again, will have them.
  const EngineClient::State state = client_.state();
  const bool isComing = client_.model() && state != EngineClient::State::ready && state != EngineClient::State::idle;
  return isComing ? tr("The engine is being given this text; then its weights can be drawn.")
                  : tr("No engine has this text: weights that were not drawn before cannot be computed.");
}

void ShownTileSource::fetchLater(const std::vector<TileKey>& keys, const OtherRun& other) {
  if (!recording_()) return engine_.fetchLater(keys, other);
  later_.assign(keys.rbegin(), keys.rend());
  comparedLater_ = other;
  if (!isComputingLater_) computeNextLater();
}

void ShownTileSource::computeNextLater() {
  const auto recording = recording_();
  if (!recording || later_.empty()) return;
  const TileKey key = later_.back();
  later_.pop_back();
  isComputingLater_ = true;
  elsewhere(
      this,
      [recording, key, other = comparedLater_] {
        auto tile = tile_of(recording->trace(), key, other.schedule(key));
        if (tile) tile->compared_run = other.id;
        return tile;
      },
      [this, generation = generation_](const Expected<AttentionTile>& tile) {
        if (generation != generation_) return;
        isComputingLater_ = false;
        if (!tile) {
          later_.clear();
          Q_EMIT failed(tile.error());
          return;
        }
        Q_EMIT arrivedLater(std::make_shared<const AttentionTile>(*tile));
        if (!isComputingLater_) computeNextLater();
      });
}

void ShownTileSource::compute(const std::shared_ptr<const Recording>& recording, const TileKey& key) {
  if (!computing_.insert(key).second) return;
  elsewhere(
      this, [recording, key] { return tile_of(recording->trace(), key); },
      [this, key, generation = generation_](const Expected<AttentionTile>& tile) {
        if (generation != generation_) return;
        if (!tile) {
          // It stays among those that are computed: asking again would fail again.
          Q_EMIT failed(tile.error());
          return;
        }
        computing_.erase(key);
        recorded_.keep(key, std::make_shared<const AttentionTile>(*tile));
        Q_EMIT arrived(key);
      });
}

}  // namespace natscope::ui
