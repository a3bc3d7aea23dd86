"""Two tables beside each other, whose rows are level: found as one, they are two where labels begin anew."""

from app.textract_server.drafts import DraftCell, DraftTable, share_of_figures

FEWEST_COLUMNS = 3
"""Columns of each of the two, at least: labels and two of figures."""
LABELS, FIGURES = 0.3, 0.6
"""The share of figures up to which a column is one of labels, and from which it is one of figures."""
FEWEST_ROWS = 3


def parted(table: DraftTable) -> list[DraftTable]:
    """Return the two tables that one is made of, or the one."""
    for column in range(FEWEST_COLUMNS, table.column_count - FEWEST_COLUMNS + 1):
        left, right = _part(table, 0, column), _part(table, column, table.column_count)
        if left is not None and right is not None:
            return [left, right]
    return [table]


def _part(table: DraftTable, begin: int, end: int) -> DraftTable | None:
    """Cut columns out of a table; None where they are no list of labels with figures."""
    inside = [cell for cell in table.cells if begin <= cell.column and cell.column + cell.columns <= end]
    across = [cell for cell in table.cells if cell.column < end and cell.column + cell.columns > begin]
    rows = sorted({cell.row for cell in inside if cell.words})
    columns = [[cell.text for cell in inside if cell.column == column] for column in range(begin, end)]
    has_labels = share_of_figures(columns[0]) <= LABELS and sum(map(bool, columns[0])) >= FEWEST_ROWS
    has_figures = any(share_of_figures(column[2:]) >= FIGURES for column in columns[1:])
    if len(inside) != len(across) or len(rows) < FEWEST_ROWS or not has_labels or not has_figures:
        return None
    words = [word for cell in inside for word in cell.words]
    row_edges = [table.row_edges[row] for row in rows] + [table.row_edges[rows[-1] + 1]]
    column_edges = table.column_edges[begin : end + 1]
    column_edges[0] = max(column_edges[0], min(word.left for word in words))
    column_edges[-1] = min(column_edges[-1], max(word.right for word in words))
    cells = [
        DraftCell(rows.index(cell.row), cell.column - begin, 1, cell.columns, cell.words)
        for cell in inside
        if cell.row in rows
    ]
    return DraftTable(row_edges, column_edges, cells, table.confidence, is_ruled=False)
