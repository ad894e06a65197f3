//! The changes to a parsed condition that give it the meaning of the language: operators that know
//! versions, maps iterated in order, and `has` that is false when an outer part is missing too.

use cel::common::ast::{CallExpr, EntryExpr, Expr, IdedExpr, operators};

use super::functions::{IN_ORDER, REPLACED};

/// Changes the expression and everything in it.
pub(super) fn rewrite(expr: &mut IdedExpr) {
    match &mut expr.expr {
        Expr::Call(call) => {
            if let Some(target) = &mut call.target {
                rewrite(target);
            }
            call.args.iter_mut().for_each(rewrite);
            replace(call);
        }
        Expr::Comprehension(c) => {
            for part in [
                &mut c.iter_range,
                &mut c.accu_init,
                &mut c.loop_cond,
                &mut c.loop_step,
                &mut c.result,
            ] {
                rewrite(part);
            }
            wrap(&mut c.iter_range, IN_ORDER);
        }
        Expr::List(list) => list.elements.iter_mut().for_each(rewrite),
        Expr::Map(map) => {
            for entry in &mut map.entries {
                if let EntryExpr::MapEntry(entry) = &mut entry.expr {
                    rewrite(&mut entry.key);
                    rewrite(&mut entry.value);
                }
            }
        }
        Expr::Select(select) => {
            rewrite(&mut select.operand);
            if select.test {
                // An error inside counts as "not false" and thus, between two nots, as false.
                wrap(expr, operators::LOGICAL_NOT);
                wrap(expr, operators::NOT_STRICTLY_FALSE);
                wrap(expr, operators::LOGICAL_NOT);
            }
        }
        _ => {}
    }
}

fn replace(call: &mut CallExpr) {
    let [first, _] = call.args.as_slice() else {
        return;
    };
    // What a comprehension appends to its own result stays as CEL knows it: it does that in place.
    if matches!(&first.expr, Expr::Ident(name) if name.starts_with('@')) {
        return;
    }
    if let Some((_, ours)) = REPLACED
        .iter()
        .find(|(theirs, _)| *theirs == call.func_name)
    {
        call.func_name = (*ours).to_owned();
    }
}

fn wrap(expr: &mut IdedExpr, function: &str) {
    let inner = std::mem::take(expr);
    expr.id = inner.id;
    expr.expr = Expr::Call(CallExpr {
        func_name: function.to_owned(),
        target: None,
        args: vec![inner],
    });
}
