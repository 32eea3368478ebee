// SPDX-License-Identifier: GPL-3.0-or-later
// Recordings without an engine: which of their tiles are kept, and whose weights an answer has.
#include "ui/models/recording.h"

#include <QTemporaryDir>
#include <QTest>
#include <algorithm>

#include "tests/ui/patience.h"
#include "ui/models/workbench.h"

using namespace natscope;
using namespace natscope::ui;

namespace {

constexpr std::int32_t tokens = 12;

/// A run of full attention with a map of each of `layers` layers of one head; every weight below the diagonal is
/// `weight`.
QString written(const QString& path, std::int32_t layers, float weight) {
  const auto count = static_cast<std::size_t>(layers);
  SequenceRecord record(CacheGeometry{.layers = layers, .kv_heads = 1, .head_dim = 8}, false, std::nullopt);
  for (std::int32_t n = 0; n < tokens; ++n) {
    TokenFrame frame;
    frame.position = TokenPos(n);
    frame.text = "a";
    frame.roles.assign(count, Role::global);
    frame.entries.assign(count, n + 1);
    if (!record.append(std::move(frame))) return {};
  }
  TraceContent content;
  content.record = &record;
  content.provenance.dtype = "float32";
  content.provenance.heads = 1;
  content.provenance.head_dim = 8;
  for (std::int32_t layer = 0; layer < layers; ++layer) content.provenance.maps.push_back({LayerId(layer), HeadId(0)});
  content.prompt_tokens = tokens;
  content.map_rows = [weight](const MapId&, TokenPos first, std::int64_t n, std::span<float> weights,
                              std::span<std::uint8_t> visible) -> Expected<void> {
    for (std::int64_t cell = 0; cell < n * tokens; ++cell) {
      const bool isSeen = cell % tokens <= first.value + cell / tokens;
      if (!weights.empty()) weights[static_cast<std::size_t>(cell)] = isSeen ? weight : 0;
      if (!visible.empty()) visible[static_cast<std::size_t>(cell)] = isSeen ? 1 : 0;
    }
    return {};
  };
  return write_trace(path.toStdString(), content) ? path : QString();
}

TileKey wholeOf(std::int32_t layer) { return {LayerId(layer), HeadId(0), 0, 0, 0}; }

}  // namespace

class RecordingTest : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void init() {
    settings_ = std::make_unique<Settings>(folder_.filePath(QStringLiteral("settings-%1.ini").arg(++runs_)));
    workbench_ = std::make_unique<Workbench>(*settings_);
  }

  void cleanup() { workbench_.reset(); }

  /// Else a view that shows two of them would have each computed again for ever.
  void tilesThatWereLookedAtLastAreKept() {
    constexpr auto layers = static_cast<std::int32_t>(keptTiles) + 10;
    show(written(folder_.filePath(QStringLiteral("many.safetensors")), layers, 0.25F));
    ShownTileSource& tiles = workbench_->tiles();
    for (std::int32_t layer = layers - 1; layer >= 0; --layer) {
      (void)tiles.tile(wholeOf(layer));
      QTRY_VERIFY_WITH_TIMEOUT(tiles.cached(wholeOf(layer)) != nullptr, patience);
    }
    // The first ones by number came last.
    for (std::int32_t layer = 0; layer < 20; ++layer)
      QVERIFY2(tiles.cached(wholeOf(layer)), qPrintable(QString::number(layer)));
    QVERIFY(!tiles.cached(wholeOf(layers - 1)));
    // A look at one is a use.
    QVERIFY(tiles.tile(wholeOf(keptTiles - 1)) != nullptr);
    (void)tiles.tile(wholeOf(layers - 1));
    QTRY_VERIFY_WITH_TIMEOUT(tiles.cached(wholeOf(layers - 1)) != nullptr, patience);
    QVERIFY(tiles.cached(wholeOf(keptTiles - 1)) != nullptr);
    QVERIFY(!tiles.cached(wholeOf(keptTiles - 2)));
  }

  void anAnswerIsOfTheRecordingThatIsShown() {
    const QString first = written(folder_.filePath(QStringLiteral("first.safetensors")), 1, 0.25F);
    const QString second = written(folder_.filePath(QStringLiteral("second.safetensors")), 1, 0.5F);
    const WeightsRequestMessage request{LayerId(0), HeadId(0), TokenPos(0), TokenPos(0), tokens, tokens};
    std::vector<float> said;
    const auto note = [&said](const Expected<WeightsMessage>& answer) {
      said.push_back(answer ? answer->weights.front() : -1);
    };
    show(first);
    workbench_->weights().ask(request, note);
    show(second);  // before the first one has answered
    workbench_->weights().ask(request, note);
    QTRY_COMPARE_WITH_TIMEOUT(said.size(), std::size_t{2}, patience);
    QCOMPARE(said, (std::vector<float>{-1, 0.5F}));
  }

 private:
  void show(const QString& path) {
    const auto opened = Recording::open(path.toStdString(), {});
    QVERIFY2(opened, opened ? "" : opened.error().message.c_str());
    workbench_->showRecording(*opened);
  }

  QTemporaryDir folder_;
  std::unique_ptr<Settings> settings_;
  std::unique_ptr<Workbench> workbench_;
  int runs_ = 0;
};

QTEST_MAIN(RecordingTest)
#include "recording_test.moc"
