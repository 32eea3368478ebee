// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/figure/picture_file.h"

#include <QBuffer>
#include <QImageWriter>
#include <QPageSize>
#include <QPdfWriter>
#include <QSvgGenerator>
#include <algorithm>
#include <cctype>

#include "core/base/atomic_file.h"
#include "ui/figure/figure.h"
#include "ui/figure/reproducible_pdf.h"

namespace natscope::ui {
namespace {

constexpr double pointsPerInch = 72;
constexpr double metresPerInch = 0.0254;
/// PDF coordinates are written with few decimals: a fine grid keeps thin lines where they belong.
constexpr int pdfUnitsPerPoint = 20;

QString programName() { return QStringLiteral("NAtScope " NATSCOPE_VERSION); }

Expected<QByteArray> writePng(const Picture& picture, double dpi) {
  const double scale = pngScale(dpi);
  QImage image((picture.size * scale).toSize(), QImage::Format_RGB32);
  if (image.isNull())
    return fail(ErrorCode::out_of_memory, "no memory for a picture of this size",
                "choose a lower --dpi or fewer cells");
  image.setDotsPerMeterX(qRound(dpi / metresPerInch));
  image.setDotsPerMeterY(qRound(dpi / metresPerInch));
  image.fill(QColor(picture.paper));
  {
    QPainter painter(&image);
    painter.scale(scale, scale);
    picture.paint(painter);
  }
  for (const auto& [key, value] : picture.metadata) {
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

/// What XML has no character for stands as U+FFFD: controls but tabs and line breaks, U+FFFE and U+FFFF.
QString plainXml(QString text) {
  for (QChar& c : text) {
    const char16_t unit = c.unicode();
    const bool isControl = unit < 0x20 && unit != u'\t' && unit != u'\n' && unit != u'\r';
    if (isControl || unit == 0xFFFE || unit == 0xFFFF) c = QChar::ReplacementCharacter;
  }
  return text;
}

QString asXml(const QString& text) { return plainXml(text).toHtmlEscaped(); }
QString asXml(const std::string& text) { return asXml(QString::fromStdString(text)); }

/// What QSvgGenerator cannot say: provenance, that pixels of the map must not be smoothed, and a title with & or <,
/// which it (6.4) writes as it is.
QByteArray completedSvg(QByteArray svg, const Picture& picture) {
  svg = plainXml(QString::fromUtf8(svg)).toUtf8();  // texts that were drawn, too
  const QByteArray json = asXml(picture.provenance).toUtf8();
  const qsizetype at = svg.indexOf("<defs>");
  svg.insert(
      at < 0 ? svg.indexOf("</svg>") : at,
      "<title>" + asXml(picture.title).toUtf8() + "</title>\n<metadata id=\"provenance\">" + json + "</metadata>\n");
  svg.replace("preserveAspectRatio=\"none\"", "preserveAspectRatio=\"none\" style=\"image-rendering:pixelated\"");
  return svg;
}

Expected<QByteArray> writeSvg(const Picture& picture) {
  QBuffer buffer;
  buffer.open(QIODevice::WriteOnly);
  QSvgGenerator generator;
  generator.setOutputDevice(&buffer);
  generator.setResolution(static_cast<int>(pointsPerInch));
  generator.setSize(picture.size.toSize());
  generator.setViewBox(QRectF(QPointF(0, 0), picture.size));
  generator.setDescription(programName());
  QPainter painter;
  if (!painter.begin(&generator)) return fail(ErrorCode::internal, "the SVG could not be begun");
  picture.paint(painter);
  painter.end();
  return completedSvg(buffer.data(), picture);
}

QByteArray xmpOf(const Picture& picture) {
  QString fields;
  for (const auto& [key, value] : picture.metadata) {
    const QString name = asXml(key);
    fields += QStringLiteral("<natscope:%1>%2</natscope:%1>\n").arg(name, asXml(value));
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
          .arg(asXml(picture.title), fields, asXml(picture.provenance));
  return xmp.toUtf8();
}

Expected<QByteArray> writePdf(const Picture& picture) {
  QBuffer buffer;
  buffer.open(QIODevice::WriteOnly);
  {
    const SteadyHashOrder steady;
    QPdfWriter writer(&buffer);
    writer.setPageSize(QPageSize(picture.size, QPageSize::Point, {}, QPageSize::ExactMatch));
    writer.setPageMargins(QMarginsF());
    writer.setResolution(static_cast<int>(pointsPerInch) * pdfUnitsPerPoint);
    writer.setTitle(picture.title);
    writer.setCreator(programName());
    writer.setDocumentXmpMetadata(xmpOf(picture));
    QPainter painter;
    if (!painter.begin(&writer)) return fail(ErrorCode::internal, "the PDF could not be begun");
    painter.scale(pdfUnitsPerPoint, pdfUnitsPerPoint);
    picture.paint(painter);
  }
  return withDate(buffer.data(), sourceDate());
}

}  // namespace

Expected<void> checkDpi(double dpi) {
  if (dpi >= 36 && dpi <= 2400) return {};
  return fail(ErrorCode::usage, "the resolution must be 36 to 2400 dpi");
}

Expected<void> checkFontSize(double size) {
  if (size >= smallestFontSize && size <= largestFontSize) return {};
  return fail(ErrorCode::usage, "the size of texts must be 4 to 24 points");
}

double pngScale(double dpi) { return dpi / pointsPerInch; }

Expected<QByteArray> encodePicture(const Picture& picture, FigureFormat format, double dpi) {
  NATSCOPE_CHECK(checkDpi(dpi));
  switch (format) {
    case FigureFormat::png:
      return writePng(picture, dpi);
    case FigureFormat::svg:
      return writeSvg(picture);
    case FigureFormat::pdf:
      return writePdf(picture);
  }
  return fail(ErrorCode::internal, "unknown figure format");
}

Expected<void> writePicture(const std::filesystem::path& path,
                            const std::function<Expected<QByteArray>(FigureFormat)>& render) {
  NATSCOPE_TRY(const FigureFormat format, figureFormat(path));
  NATSCOPE_CHECK(check_writable_target(path));
  NATSCOPE_TRY(const QByteArray bytes, render(format));
  return write_file_atomically(path, std::string_view(bytes.constData(), static_cast<std::size_t>(bytes.size())));
}

}  // namespace natscope::ui
