// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/recording.h"

#include <QCoreApplication>

#include "core/io/model_folder.h"
#include "core/session/trace_sequence.h"
#include "ui/models/grouped_number.h"

namespace natscope::ui {
namespace {

/// So many maps are named; of more only the first ones are.
constexpr std::size_t mostNamed = 8;
constexpr int shownDigits = 8;

QString tr(const char* text) { return QCoreApplication::translate("Recording", text); }

QString named(std::vector<MapId> maps) {
  const bool isCut = maps.size() > mostNamed;
  if (isCut) maps.resize(mostNamed);
  QString text = QString::fromStdString(maps_text(maps)).replace(u',', QStringLiteral(", "));
  return isCut ? text + QStringLiteral(", …") : text;
}

}  // namespace

Recording::Recording(std::filesystem::path path, TraceFile trace, Session session, bool hasTexts)
    : path_(std::move(path)), trace_(std::move(trace)), session_(std::move(session)), hasTexts_(hasTexts) {}

Expected<std::shared_ptr<const Recording>> Recording::open(const std::filesystem::path& path,
                                                           const ModelAtHand& model) {
  NATSCOPE_TRY(TraceFile trace, TraceFile::open(path));
  const std::string& madeWith = trace.provenance().model_sha256;
  std::optional<Tokenizer> tokenizer;
  if (trace.token_texts().empty() && !madeWith.empty() && madeWith == model.sha256) {
    if (auto read = read_tokenizer(model.folder)) tokenizer = *std::move(read);
  }
  NATSCOPE_TRY(Session session, session_of(trace, tokenizer));
  const bool hasTexts = tokenizer || !trace.token_texts().empty();
  return std::shared_ptr<const Recording>(new Recording(path, std::move(trace), std::move(session), hasTexts));
}

int Recording::heads() const { return trace_.provenance().heads.value_or(trace_.kv_heads()); }

QString Recording::whyNoMap(const MapId& map) const {
  if (hasMap(map)) return {};
  const std::vector<MapId>& maps = trace_.provenance().maps;
  const QString missing = tr("Layer %1, head %2 was not recorded.").arg(map.layer.value).arg(map.head.value);
  if (maps.empty()) return missing + tr("\nThis trace holds no attention maps: record it with --attention.");
  return missing + tr("\nRecorded (layer.head): %1").arg(named(maps));
}

Expected<WeightsMessage> Recording::weights(const WeightsRequestMessage& request) const {
  const auto map = trace_.map_index({request.layer, request.head});
  if (!map) {
    return fail(ErrorCode::bad_trace, "the trace does not hold the map " + maps_text({{request.layer, request.head}}),
                "trace again with --attention");
  }
  if (request.queries < 0 || request.keys < 0) return fail(ErrorCode::bad_position, "the range is negative");
  WeightsMessage answer;
  answer.request = request;
  const auto cells = static_cast<std::size_t>(request.queries) * static_cast<std::size_t>(request.keys);
  if (request.queries > trace_.tokens_count() || request.keys > trace_.tokens_count())
    return fail(ErrorCode::bad_position, "a range leaves the trace");
  answer.weights.resize(cells);
  answer.visible.resize(cells);
  NATSCOPE_CHECK(trace_.read_map(*map, request.first_query, request.queries, request.first_key, request.keys,
                                 answer.weights, answer.visible));
  return answer;
}

QString Recording::promptText() const {
  if (!hasTexts_) return {};
  std::string text;
  for (const TokenFrame& frame : session_.record.frames()) {
    if (!frame.generated) text += frame.text;
  }
  return QString::fromStdString(text);
}

QString Recording::summary() const {
  const Provenance& from = trace_.provenance();
  QStringList facts;
  facts << tr("%1 tokens").arg(groupedNumber(trace_.tokens_count()));
  facts << tr("policy %1").arg(QString::fromStdString(session_.policy));
  if (from.window) facts << tr("W %1").arg(*from.window);
  if (!from.dtype.empty()) facts << QString::fromStdString(from.dtype);
  facts << (from.maps.empty() ? tr("no maps") : tr("maps %1").arg(named(from.maps)));
  if (!from.model_sha256.empty())
    facts << tr("model %1").arg(QString::fromStdString(from.model_sha256).left(shownDigits));
  if (!hasTexts_) facts << tr("no texts in it and no tokenizer at hand: tokens are shown as ids");
  if (!knows_what_is_held(trace_))
    facts << tr("what H2O dropped is known for recorded maps only, elsewhere entries look held");
  return facts.join(QStringLiteral(" · "));
}

}  // namespace natscope::ui
