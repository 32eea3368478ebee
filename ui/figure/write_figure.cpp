// SPDX-License-Identifier: GPL-3.0-or-later
#include <QBuffer>
#include <QImageWriter>
#include <QPageSize>
#include <QPdfWriter>
#include <QSvgGenerator>
#include <algorithm>
#include <cctype>
#include <cmath>
#include <new>

#include "core/base/atomic_file.h"
#include "core/export/data_files.h"
#include "ui/figure/figure_painter.h"

namespace natscope::ui {
namespace {

constexpr std::int64_t largestSide = 8192;  // cells
constexpr double pointsPerInch = 72;
constexpr double metresPerInch = 0.0254;
/// PDF coordinates are written with few decimals: a fine grid keeps thin lines where they belong.
constexpr int pdfUnitsPerPoint = 20;

QString programName() { return QStringLiteral("NAtScope " NATSCOPE_VERSION); }

Expected<void> checkSides(std::int64_t rows, std::int64_t columns) {
  if (rows <= 0 || columns <= 0) return fail(ErrorCode::bad_range, "there is nothing to draw");
  if (rows > largestSide || columns > largestSide) {
    return fail(ErrorCode::bad_range,
                "a map of " + std::to_string(rows) + " x " + std::to_string(columns) + " cells is too large to draw",
                "choose at most 8192 queries and keys, or write npy");
  }
  return {};
}

Expected<void> checkCount(std::size_t count, std::int64_t expected, const char* what) {
  if (count == static_cast<std::size_t>(expected)) return {};
  return fail(ErrorCode::bad_arrays,
              std::string(what) + " holds " + std::to_string(count) + " values, not " + std::to_string(expected));
}

Expected<void> check(const Heatmap& map) {
  NATSCOPE_CHECK(checkSides(map.queries.size(), map.keys.size()));
  const std::int64_t cells = map.queries.size() * map.keys.size();
  NATSCOPE_CHECK(checkCount(map.values.size(), cells, "the map"));
  return checkCount(map.visible.size(), cells, "the mask");
}

Expected<void> check(const RoleMap& map) {
  const std::int64_t rows = std::int64_t{map.layers} * map.kv_heads;
  if (map.length > 4 * largestSide) return checkSides(rows, map.length);
  NATSCOPE_CHECK(checkSides(rows, std::min(map.length, largestSide)));
  return checkCount(map.roles.size(), rows * map.length, "the role map");
}

Expected<void> check(const KvCurve& curve) {
  if (curve.length <= 0) return fail(ErrorCode::bad_range, "there is nothing to draw");
  NATSCOPE_CHECK(checkCount(curve.entries.size(), curve.length * curve.layers * curve.kv_heads, "the KV curve"));
  if (curve.dense_bytes.empty() != curve.live_bytes.empty())
    return fail(ErrorCode::bad_arrays, "dense and live bytes come together");
  if (curve.dense_bytes.empty()) return {};
  NATSCOPE_CHECK(checkCount(curve.dense_bytes.size(), curve.length, "dense bytes"));
  NATSCOPE_CHECK(checkCount(curve.live_bytes.size(), curve.length, "live bytes"));
  return curve.allocated_bytes.empty() ? Expected<void>()
                                       : checkCount(curve.allocated_bytes.size(), curve.length, "allocated bytes");
}

Expected<QByteArray> writePng(const FigureData& figure, const FigureOptions& options, const MapRaster& raster) {
  const double scale = options.dpi / pointsPerInch;
  const FigureLayout layout = layOut(figure, options, scale);
  QImage image((layout.size * scale).toSize(), QImage::Format_RGB32);
  if (image.isNull())
    return fail(ErrorCode::out_of_memory, "no memory for a picture of this size",
                "choose a lower --dpi or fewer cells");
  image.setDotsPerMeterX(qRound(options.dpi / metresPerInch));
  image.setDotsPerMeterY(qRound(options.dpi / metresPerInch));
  image.fill(QColor(inkOf(options.theme).paper));
  {
    QPainter painter(&image);
    painter.scale(scale, scale);
    paintFigure(painter, figure, options, layout, raster);
  }
  for (const auto& [key, value] : trace_metadata(figure.provenance)) {
    image.setText(QString::fromStdString(key), QString::fromStdString(value));
  }
  image.setText(QStringLiteral("Software"), programName());
  QBuffer buffer;
  buffer.open(QIODevice::WriteOnly);
  QImageWriter writer(&buffer, "png");
  if (!writer.write(image))
    return fail(ErrorCode::internal, "the PNG could not be written: " + writer.errorString().toStdString());
  return buffer.data();
}

/// What QSvgGenerator cannot say: provenance, and that pixels of the map must not be smoothed.
QByteArray completedSvg(QByteArray svg, const FigureData& figure) {
  const QByteArray json = QString::fromStdString(provenance_json(figure.provenance)).toHtmlEscaped().toUtf8();
  const qsizetype at = svg.indexOf("<defs>");
  svg.insert(at < 0 ? svg.indexOf("</svg>") : at, "<metadata id=\"provenance\">" + json + "</metadata>\n");
  svg.replace("preserveAspectRatio=\"none\"", "preserveAspectRatio=\"none\" style=\"image-rendering:pixelated\"");
  return svg;
}

Expected<QByteArray> writeSvg(const FigureData& figure, const FigureOptions& options, const MapRaster& raster) {
  const FigureLayout layout = layOut(figure, options, 0);
  QBuffer buffer;
  buffer.open(QIODevice::WriteOnly);
  QSvgGenerator generator;
  generator.setOutputDevice(&buffer);
  generator.setResolution(static_cast<int>(pointsPerInch));
  generator.setSize(layout.size.toSize());
  generator.setViewBox(QRectF(QPointF(0, 0), layout.size));
  generator.setTitle(options.title.isEmpty() ? QLatin1String(name(figure.kind)) : options.title);
  generator.setDescription(programName());
  QPainter painter;
  if (!painter.begin(&generator)) return fail(ErrorCode::internal, "the SVG could not be begun");
  paintFigure(painter, figure, options, layout, raster);
  painter.end();
  return completedSvg(buffer.data(), figure);
}

QByteArray xmpOf(const FigureData& figure, const QString& title) {
  QString fields;
  for (const auto& [key, value] : trace_metadata(figure.provenance)) {
    const QString name = QString::fromStdString(key).toHtmlEscaped();
    fields +=
        QStringLiteral("<natscope:%1>%2</natscope:%1>\n").arg(name, QString::fromStdString(value).toHtmlEscaped());
  }
  const QString xmp =
      QStringLiteral(
          "<?xpacket begin=\"\ufeff\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?>\n"
          "<x:xmpmeta xmlns:x=\"adobe:ns:meta/\"><rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\">\n"
          "<rdf:Description rdf:about=\"\" xmlns:dc=\"http://purl.org/dc/elements/1.1/\" "
          "xmlns:natscope=\"urn:natscope:provenance\">\n"
          "<dc:title><rdf:Alt><rdf:li xml:lang=\"x-default\">%1</rdf:li></rdf:Alt></dc:title>\n%2"
          "<natscope:provenance>%3</natscope:provenance>\n"
          "</rdf:Description></rdf:RDF></x:xmpmeta>\n<?xpacket end=\"w\"?>\n")
          .arg(title.toHtmlEscaped(), fields,
               QString::fromStdString(provenance_json(figure.provenance)).toHtmlEscaped());
  return xmp.toUtf8();
}

Expected<QByteArray> writePdf(const FigureData& figure, const FigureOptions& options, const MapRaster& raster) {
  const FigureLayout layout = layOut(figure, options, 0);
  const QString title = options.title.isEmpty() ? QString(QLatin1String(name(figure.kind))) : options.title;
  QBuffer buffer;
  buffer.open(QIODevice::WriteOnly);
  {
    QPdfWriter writer(&buffer);
    writer.setPageSize(QPageSize(layout.size, QPageSize::Point, {}, QPageSize::ExactMatch));
    writer.setPageMargins(QMarginsF());
    writer.setResolution(static_cast<int>(pointsPerInch) * pdfUnitsPerPoint);
    writer.setTitle(title);
    writer.setCreator(programName());
    writer.setDocumentXmpMetadata(xmpOf(figure, title));
    QPainter painter;
    if (!painter.begin(&writer)) return fail(ErrorCode::internal, "the PDF could not be begun");
    painter.scale(pdfUnitsPerPoint, pdfUnitsPerPoint);
    paintFigure(painter, figure, options, layout, raster);
  }
  return buffer.data();
}

Expected<QByteArray> render(const FigureData& figure, FigureFormat format, const FigureOptions& options) {
  if (!(options.dpi >= 36 && options.dpi <= 2400))
    return fail(ErrorCode::usage, "the resolution must be 36 to 2400 dpi");
  NATSCOPE_CHECK(std::visit([](const auto& values) { return check(values); }, figure.values));
  MapRaster raster;
  if (const auto* map = std::get_if<Heatmap>(&figure.values)) raster = rasterOf(*map, options);
  if (const auto* map = std::get_if<RoleMap>(&figure.values))
    raster = rasterOf(*map, figure.provenance.window, options);
  if (raster.image.isNull() && figure.kind != FigureKind::kv)
    return fail(ErrorCode::out_of_memory, "no memory for a map of this size");
  switch (format) {
    case FigureFormat::png:
      return writePng(figure, options, raster);
    case FigureFormat::svg:
      return writeSvg(figure, options, raster);
    case FigureFormat::pdf:
      return writePdf(figure, options, raster);
  }
  return fail(ErrorCode::internal, "unknown figure format");
}

}  // namespace

Expected<FigureFormat> figureFormat(const std::filesystem::path& path) {
  std::string ending = path.extension().string();
  std::transform(ending.begin(), ending.end(), ending.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (ending == ".png") return FigureFormat::png;
  if (ending == ".svg") return FigureFormat::svg;
  if (ending == ".pdf") return FigureFormat::pdf;
  return fail(ErrorCode::usage, "a figure ends in .png, .svg or .pdf, not in '" + printable(ending) + "'");
}

Expected<QByteArray> renderFigure(const FigureData& figure, FigureFormat format, const FigureOptions& options) {
  try {
    return render(figure, format, options);
  } catch (const std::bad_alloc&) {
    return fail(ErrorCode::out_of_memory, "no memory for a figure of this size");
  }
}

Expected<void> drawFigure(const FigureData& figure, const FigureOptions& options, const std::filesystem::path& path) {
  NATSCOPE_TRY(const FigureFormat format, figureFormat(path));
  NATSCOPE_CHECK(check_writable_target(path));
  NATSCOPE_TRY(const QByteArray bytes, renderFigure(figure, format, options));
  return write_file_atomically(path, std::string_view(bytes.constData(), static_cast<std::size_t>(bytes.size())));
}

}  // namespace natscope::ui
